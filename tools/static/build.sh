#!/usr/bin/env bash
# build.sh TARGET [what else cargo should be told]: one static binary, with Debian's rustc and zig.
#
# These settings stay out of .cargo/config.toml: `cross` hands CARGO_* and RUSTFLAGS on into its container, where they
# would be wrong.
set -euo pipefail
. "$(dirname "$0")/common.sh"
target=${1:?build.sh TARGET}
shift

# Neither rustup's shims nor its settings.
export PATH=$VENV/bin:/usr/bin:/bin
unset RUSTC CARGO RUSTUP_TOOLCHAIN RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS
export CARGO_HOME=$TOOLS/cargo XDG_CACHE_HOME=$TOOLS/cache ZIG_GLOBAL_CACHE_DIR=$TOOLS/zig
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/static} CARGO_INCREMENTAL=0

# The standard library is built along, from Debian's sources, since Debian ships it for its own targets only. That is
# unstable in name; the compiler is a release.
export RUSTC_BOOTSTRAP=1
upper=$(tr 'a-z-' 'A-Z_' <<<"$target")
# zig brings the C runtime's start files, which a standard library built here does not have. And no paths of this
# machine: the same source makes the same binary everywhere.
flags="-C link-self-contained=no --remap-path-prefix=$PWD=. --remap-path-prefix=$TOOLS=tools"
# Panics unwind (see Cargo.toml), but never through C: its functions need no tables for that.
cflags="-fno-asynchronous-unwind-tables -fno-unwind-tables"
case $target in
  armv7-*)
    # 64-bit time, or the clock stops in 2038. It needs a standard library that was built with it, too.
    export RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1
    # The shorter instructions that every such processor has: a quarter less.
    flags+=" -C target-feature=+thumb-mode"
    cflags+=" -mthumb"
    ;;
esac
export "CARGO_TARGET_${upper}_RUSTFLAGS=$flags" "CFLAGS_${target//-/_}=$cflags"

exec cargo-zigbuild zigbuild --locked --release -Zbuild-std=std,panic_unwind \
  -Zbuild-std-features=panic-unwind,optimize_for_size --target "$target" \
  --bin jetbackup-remote "$@"
