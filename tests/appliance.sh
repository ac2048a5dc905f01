#!/usr/bin/env bash
# Builds what is released and tries it: static binaries for three machines, systemd units, packages for Debian and OpenWrt.
# Part of tests/run.sh, which installs what this needs.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }
sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)

step "systemd units"
tools/check-units.sh

step "static binaries for three machines"
make dist
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)

step "OpenWrt packages"
for target in aarch64-unknown-linux-musl armv7-unknown-linux-musleabihf x86_64-unknown-linux-musl; do
  ipk=$(tools/openwrt/build.sh "$target" "dist/jetbackup-remote-$version-$target")
  echo "$ipk"
  tar -xzOf "$ipk" ./data.tar.gz | tar -tz
done
"${sudo[@]}" tools/openwrt/try.sh "$ipk"

step "Debian packages"
for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl armv7-unknown-linux-musleabihf; do
  deb=$(tools/deb/build.sh "$target" "dist/jetbackup-remote-$version-$target")
  "${sudo[@]}" tools/deb/try.sh "$deb"
done
