#!/usr/bin/env bash
# What the released binaries cost, in figures of one run on this machine: `make sizes`. Nothing here passes or fails.
#
#   sizes.sh             the binaries in dist/, and what the one for this machine does
#   sizes.sh BINARY...   these
#
# The goals: 6 MB each (4 aimed at); idle with 10 jobs 8 MB resident; start in about 10 ms; 16 kB written for each job.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/static/common.sh

megabytes() { awk -v bytes="$1" 'BEGIN { printf "%.2f", bytes / 1e6 }'; }

binaries=("$@")
if ((!${#binaries[@]})); then
  for target in $TARGETS; do
    for binary in dist/jetbackup-remote-*-"$target"; do
      [ ! -f "$binary" ] || binaries+=("$binary")
    done
  done
fi
((${#binaries[@]})) || die "there is nothing in dist/: make dist"

echo "Sizes"
native=
for binary in "${binaries[@]}"; do
  bytes=$(stat -c %s "$binary")
  packed=$(gzip -9 <"$binary" | wc -c)
  printf '  %-60s %5s MB, %5s MB packed\n' "$binary" \
    "$(megabytes "$bytes")" "$(megabytes "$packed")"
  if "$binary" --version >/dev/null 2>&1 && file -b "$binary" | grep -q "$(uname -m | tr _ -)"; then
    native=$binary
  fi
done

[ -n "$native" ] || die "none of them is for this machine: the rest is left out"
# The harness need not be built as released: what it starts is.
echo
JETBACKUP_REMOTE_BINARY=$(readlink -f "$native") cargo bench --profile dev --bench figures --locked -- binary daemon
