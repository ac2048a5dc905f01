#!/bin/sh
# Prints what CHANGELOG.md says of a version; fails if it says nothing.
#
#   notes.sh VERSION
set -eu
version=${1:?usage: notes.sh VERSION}
cd "$(dirname "$0")/../.."

# From the heading `## VERSION`, with a date after it or not, to the next one.
notes=$(awk -v wanted="$version" '
  /^## / { inside = ($2 == wanted); next }
  inside { print }
' CHANGELOG.md)
if [ -z "$(printf '%s' "$notes" | tr -d '[:space:]')" ]; then
  echo "CHANGELOG.md says nothing of $version: give its section the heading \"## $version\"" >&2
  exit 1
fi
printf '%s\n' "$notes" | sed '/./,$!d'
