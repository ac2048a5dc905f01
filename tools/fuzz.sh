#!/usr/bin/env bash
# Fuzzes every reader of foreign input with the stable compiler, for so many seconds each. What makes one fail is left
# in fuzz/artifacts/<target>/.
#
#   fuzz.sh SECONDS [TARGET...]
set -euo pipefail
seconds=${1:?usage: fuzz.sh SECONDS [TARGET...]}
shift
cd "$(dirname "$0")/../fuzz"

targets=("$@")
((${#targets[@]})) || for file in fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done

# What `cargo fuzz` sets, but for the address sanitizer: that needs a nightly compiler, and there is no unsafe code here
# that it could watch. With --target, build scripts and macros are spared.
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}
cargo build --release --target "$host" --bins

failed=()
for target in "${targets[@]}"; do
  echo "== $target"
  mkdir -p "artifacts/$target"
  # New finds go to a place of their own: what is in corpus/ was chosen.
  found=$CARGO_TARGET_DIR/found/$target
  mkdir -p "$found"
  "$CARGO_TARGET_DIR/$host/release/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 \
    -artifact_prefix="artifacts/$target/" -print_final_stats=1 "$found" "corpus/$target" || failed+=("$target")
done
((${#failed[@]} == 0)) || { echo "failed: ${failed[*]}; the inputs are in fuzz/artifacts" >&2; exit 1; }
