#!/usr/bin/env bash
# Writes what a released binary is made of, as CycloneDX: every crate with version, licence and checksum, and the C
# library that comes inside one of them. Prints the path.
#
#   sbom.sh TARGET [DIRECTORY]    DIRECTORY: where it goes, dist/ if not given
#
# TARGET is Rust's name of the platform, as tools/dist.sh uses it. If the binary of that name is in DIRECTORY, its
# checksum is part of the list. The same source makes the same list.
#   SOURCE_DATE_EPOCH  the time in it, that of the last commit if not given
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
target=${1:?usage: sbom.sh TARGET [DIRECTORY]}
mkdir -p "${2:-$here/dist}"
out=$(cd "${2:-$here/dist}" && pwd)

cd "$here"
if [ -z "${SOURCE_DATE_EPOCH-}" ]; then
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.toml)
fi
export SOURCE_DATE_EPOCH

# Cargo itself says what is built for the platform, by the locked versions; so there is no tool to install for it.
cargo=${CARGO:-cargo}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
crates() {
  "$cargo" tree --locked --package jetbackup-remote --target "$target" --edges "$1" --prefix none --format '{p}'
}
crates normal,no-proc-macro >"$work/runs"
crates normal,build >"$work/built"
"$cargo" metadata --locked --format-version 1 --filter-platform "$target" >"$work/metadata"
python3 tools/sbom.py "$target" "$out" "$work"
