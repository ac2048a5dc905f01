#!/usr/bin/env bash
# prove.sh TARGET BINARY: fails unless the binary needs nothing but the kernel, and runs.
set -euo pipefail
. "$(dirname "$0")/common.sh"
target=${1:?prove.sh TARGET BINARY}
binary=${2:?prove.sh TARGET BINARY}

for tool in file readelf; do
  command -v "$tool" >/dev/null || die "$tool is missing: apt-get install file binutils"
done

kind=$(file -b "$binary")
case $kind in
  *"statically linked"* | *"static-pie linked"*) ;;
  *) die "$binary is not static: $kind" ;;
esac
# A position-independent binary has a dynamic section, to relocate itself; what it may not have is a library or a loader.
if readelf -d "$binary" | grep -F '(NEEDED)'; then die "$binary needs the libraries above"; fi
if readelf -l "$binary" | grep -F 'INTERP'; then die "$binary needs a loader"; fi

case $target in
  x86_64-*) machine="X86-64" ;;
  aarch64-*) machine="AArch64" ;;
  armv7-*) machine="ARM" ;;
  *) die "$target is no target of ours" ;;
esac
readelf -h "$binary" | grep -q "Machine:.*$machine" || die "$binary is not for $machine"

# With an empty environment and, but for its own machine, under qemu.
runner=()
if [ "$(uname -m)" != "${target%%-*}" ]; then
  qemu=$(qemu_for "$target")
  if [ -n "$qemu" ] && command -v "$qemu" >/dev/null; then
    runner=("$qemu")
  elif [ -n "${CI-}" ] || [ -n "$qemu" ]; then
    die "$binary cannot be tried here: apt-get install qemu-user-static"
  fi
fi
said=$(env -i "${runner[@]+"${runner[@]}"}" "$binary" --version)
echo "$target: static, $(stat -c %s "$binary") bytes, says \"$said\""
