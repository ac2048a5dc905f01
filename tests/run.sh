#!/usr/bin/env bash
# Runs everything there is to check, and installs what that needs. Debian or Ubuntu, with Rust.
set -euo pipefail
cd "$(dirname "$0")/.."

# What failed is said last, and what was begun ends with this.
now=
log=
begun=()
step() {
  now=$*
  log=
  printf '\n== %s\n' "$*"
}
finish() {
  local status=$?
  trap - EXIT
  for group in "${begun[@]}"; do kill -- "-$group" 2>/dev/null || true; done
  ((status == 0)) || tests/failed.sh "$now" "$log"
  exit "$status"
}
trap finish EXIT

# The tests' peers: a real sshd, a real broker, and the three shells that the gate must run under.
sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)
packages=()
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || packages+=("$2"); }
need sshd openssh-server
need ssh openssh-client
need ssh-keygen openssh-client
need dash dash
need bash bash
# Not busybox-static: its ash runs tools of its own and looks at no PATH, so the gate's could not be replaced.
if ! command -v busybox >/dev/null 2>&1 || PATH=/nonexistent "$(command -v busybox)" ash -c 'tr a b' </dev/null 2>/dev/null; then
  packages+=(busybox)
fi
need timeout coreutils
need python3 python3-minimal
need cc build-essential
need mosquitto mosquitto
need mosquitto_pub mosquitto-clients
need openssl openssl
need flock util-linux
# What the binaries for other machines, the units and the packages are made and tried with.
need make make
need git git
need file file
need readelf binutils
need qemu-aarch64-static qemu-user-static
need systemd-analyze systemd
need debootstrap debootstrap
need lintian lintian
/usr/bin/python3 -c "import aiosmtpd" 2>/dev/null || packages+=(python3 python3-aiosmtpd)
if ((${#packages[@]})); then
  step "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # No broker of the system: the tests start their own.
  guard=/usr/sbin/policy-rc.d
  if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$guard" >/dev/null
    "${sudo[@]}" chmod 755 "$guard"
    made=1
  fi
  "${sudo[@]}" apt-get -q update
  "${sudo[@]}" apt-get -q install -y --no-install-recommends "${packages[@]}"
  [ -z "${made-}" ] || "${sudo[@]}" rm "$guard"
fi

step "a real Home Assistant, for its test"
tests/homeassistant/install.sh

step "form"
cargo fmt --all -- --check
cargo clippy --workspace --all-targets --locked -- -D warnings

step "one TLS and cryptography provider"
for crate in aws-lc-rs aws-lc-sys openssl openssl-sys native-tls; do
  if cargo tree --workspace --locked --target all -i "$crate" 2>/dev/null | grep -q .; then
    echo "$crate is in the dependency tree; it must not be" >&2
    exit 1
  fi
done

# It takes long and the tests often wait: both at once. What it says follows below.
step "static binaries and packages, begun"
mkdir -p target
# A group of its own, so that what it has begun ends with it.
setsid nice tests/appliance.sh >target/appliance.log 2>&1 &
appliance=$!
begun+=("$appliance")

step "tests"
cargo build --workspace --bins --locked
log=target/tests.log
cargo test --workspace --locked --no-fail-fast 2>&1 | tee "$log"

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --locked --quiet

step "demo"
cargo run --locked --quiet --example demo

step "static binaries and packages"
log=target/appliance.log
wait "$appliance" || { cat "$log" >&2; exit 1; }
begun=()
grep -vE "^ +(Compiling|Downloaded|Downloading)" target/appliance.log

# Their queues mostly wait: all three at once, each in a group of its own.
step "the static binaries at work"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
declare -A at_work
for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl armv7-unknown-linux-musleabihf; do
  setsid tools/static/foreign.sh "$target" "dist/jetbackup-remote-$version-$target" >"target/$target.log" 2>&1 &
  at_work[$target]=$!
  begun+=("$!")
done
failed=()
for target in "${!at_work[@]}"; do
  wait "${at_work[$target]}" || failed+=("$target")
  cat "target/$target.log"
done
begun=()
if ((${#failed[@]})); then
  now="the static binaries at work: ${failed[*]}"
  log=target/${failed[0]}.log
  exit 1
fi
