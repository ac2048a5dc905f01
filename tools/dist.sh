#!/usr/bin/env bash
# Builds the released binaries into dist/, proves each static, and writes their checksums: `make dist`.
#
#   dist.sh [TARGET...]          with Debian's rustc and zig, which tools/static/setup.sh installs; no Docker
#   dist.sh --cross [TARGET...]  with cross, in its containers
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/static/common.sh

way=static
if [ "${1-}" = --cross ]; then way=cross; shift; fi
targets=("$@")
((${#targets[@]})) || read -ra targets <<<"$TARGETS"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# The date of the last commit is the date of the build: the same source makes the same binary.
if [ -z "${SOURCE_DATE_EPOCH-}" ] && date=$(git log -1 --format=%ct 2>/dev/null); then
  export SOURCE_DATE_EPOCH=$date
fi

case $way in
  static) tools/static/setup.sh ;;
  cross)
    command -v cross >/dev/null || die "cross is missing: cargo install cross. Or build without it: make dist"
    echo "armv7 built by cross has 32-bit time unless Cross.toml is followed: see there" >&2
    ;;
esac

mkdir -p dist
for target in "${targets[@]}"; do
  case $way in
    static)
      tools/static/build.sh "$target"
      built=${CARGO_TARGET_DIR:-target/static}/$target/release/jetbackup-remote
      ;;
    cross)
      cross build --locked --release --target "$target" --bin jetbackup-remote
      built=${CARGO_TARGET_DIR:-target}/$target/release/jetbackup-remote
      ;;
  esac
  name=dist/jetbackup-remote-$version-$target
  install -m 755 "$built" "$name"
  tools/static/prove.sh "$target" "$name"
done

# Of everything that is there: targets may have been built one after the other.
(cd dist && sha256sum jetbackup-remote-"$version"-* >SHA256SUMS && cat SHA256SUMS)
