#!/bin/sh
# Fails unless this source can be released under a tag: the tag is its version, and the changelog tells of it.
#
#   check.sh TAG       for example: check.sh v1.2.0
set -eu
tag=${1:?usage: check.sh TAG}
cd "$(dirname "$0")/../.."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
if [ "$tag" != "v$version" ]; then
  echo "the tag is $tag, but Cargo.toml has version $version: tag v$version, or change the version" >&2
  exit 1
fi
tools/release/notes.sh "$version" >/dev/null
# Locked for this very version: otherwise `--locked` fails later, in the middle of a release.
if ! grep -A1 '^name = "jetbackup-remote"$' Cargo.lock | grep -qx "version = \"$version\""; then
  echo "Cargo.lock is not of version $version: run cargo check and commit it" >&2
  exit 1
fi
echo "$tag can be released"
