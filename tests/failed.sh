#!/usr/bin/env bash
# The last words of tests/run.sh when something failed: which step, which tests, and where the rest stands.
# Usage: tests/failed.sh STEP [LOG]
set -euo pipefail
printf '\nfailed: %s\n' "$1"
log=${2-}
[ -n "$log" ] && [ -e "$log" ] || exit 0
awk '
  # Cargo names the file before its tests.
  /^ +Running / { file = $2 == "unittests" ? $3 : $2 }
  /^ +Doc-tests / { file = "documentation of " $2 }
  /^test .* \.\.\. FAILED$/ { print "  " file ": " $2; next }
  # A test that ends its process says nothing more itself.
  /^error: test failed, to rerun pass / || /^error: [0-9]+ targets? failed/ || /\(signal: [0-9]+/ { print "  " $0 }
' "$log"
tail -n 5 "$log" | sed 's/^/  | /'
printf 'all of it: %s\n' "$log"
