#!/usr/bin/env bash
# Installs what build.sh needs on a bare Debian 12 (with its security updates), as root. Idempotent.
#
# Debian's rustc-web follows upstream closely and brings the sources of the standard library, which is built along
# with the program; zig, from PyPI, is C compiler and linker for every target. No rustup and no Docker.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

packages=()
# rustc-web and cargo-web take the place of Debian's own rustc and cargo.
for package in rustc-web cargo-web rust-web-src qemu-user-static python3-venv file binutils ca-certificates; do
  state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [[ $state == *"ok installed"* ]] || packages+=("$package")
done
if ((${#packages[@]})); then
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  export DEBIAN_FRONTEND=noninteractive
  "${sudo[@]}" apt-get -q -o DPkg::Lock::Timeout=600 update
  "${sudo[@]}" apt-get -q -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "${packages[@]}"
fi

mkdir -p "$TOOLS"
[ -x "$VENV/bin/python3" ] || /usr/bin/python3 -m venv "$VENV"
"$VENV/bin/python3" -m pip install --quiet --requirement "$here/requirements.txt"

/usr/bin/rustc --version
sources=$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml
[ -f "$sources" ] || die "$sources is missing, though rust-web-src is installed"
echo "zig $("$VENV/bin/python3" -m ziglang version)"
