#!/usr/bin/env bash
# Boots a Debian with the package under a real systemd, in a container, and has the services do their work there: a
# simulated JetBackup behind a real sshd and the shipped gate, a configuration of the Python program unchanged, its key in
# root's home. Nothing of this machine's own systemd is used, and none needs to run.
#
#   boot.sh DEB
#
# As root. Needs debootstrap, systemd-container (systemd-nspawn) and cargo, for the simulator.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tools/deb/root.sh
. "$here/tools/deb/root.sh"

{ [ $# = 1 ] && [ -f "$1" ]; } || die "usage: boot.sh DEB"
deb=$(realpath "$1")
command -v systemd-nspawn >/dev/null || die "systemd-nspawn is missing: apt-get install systemd-container"

step "a system with the package"
cd "$here"
cargo build --quiet --locked -p jetbackup-sim --bins --example server
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir "$root"
tar -C "$root" -xf "$(base boot systemd,systemd-sysv,dbus,openssh-server)"
cp "$deb" "$root/root/package.deb"
newer "$deb" "$root/root/newer.deb"

# The server: its jobs take twelve seconds each.
ids=$("${CARGO_TARGET_DIR:-target}"/debug/examples/server "$root/opt/sim" 12)
grep -qx 000000000000000000000001 <<<"$ids" || die "the simulator's ids have changed: $ids"
ln -s /opt/sim/jetbackup5api "$root/usr/bin/jetbackup5api"
install -m 755 gate/jetbackup-ssh-gate.sh "$root/usr/local/bin/jetbackup-ssh-gate.sh"
install -d -m 700 "$root/root/.ssh"
ssh-keygen -q -t ed25519 -N '' -C pi -f "$root/root/.ssh/id_ed25519"
printf 'restrict,command="/usr/local/bin/jetbackup-ssh-gate.sh --allow log" %s\n' "$(cat "$root/root/.ssh/id_ed25519.pub")" \
  >"$root/root/.ssh/authorized_keys"

# The Python program's configuration, with a name for the host: names have to be found in the sandbox, too.
install -d -m 755 "$root/etc/jetbackup-remote"
cat >"$root/etc/jetbackup-remote/config.json" <<'TEXT'
{
  "ssh_key": "/root/.ssh/id_ed25519",
  "servers": {"web1": {"host": "web1.test", "port": 22, "user": "root"}},
  "jobs": [
    {"job_id": "000000000000000000000001", "server": "web1", "label": "One", "type": "accounts"},
    {"job_id": "000000000000000000000002", "server": "web1", "label": "Two", "type": "accounts"}
  ],
  "orchestrator": {
    "poll_interval": 1,
    "lock_file": "/tmp/jetbackup-remote.lock",
    "log_file": "/var/log/jetbackup-remote.log"
  },
  "notification": {"enabled": false}
}
TEXT
echo '127.0.0.1 web1.test localhost' >>"$root/etc/hosts"

install -m 755 tools/deb/booted.sh "$root/root/booted.sh"
cat >"$root/etc/systemd/system/booted.service" <<'TEXT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/root/booted.sh
StandardOutput=append:/root/said
StandardError=append:/root/said
ExecStopPost=/usr/bin/systemctl --no-block poweroff
TEXT
ln -s ../booted.service "$root/etc/systemd/system/multi-user.target.wants/booted.service" 2>/dev/null ||
  { mkdir -p "$root/etc/systemd/system/multi-user.target.wants" && ln -s ../booted.service "$root/etc/systemd/system/multi-user.target.wants/"; }

step "booted"
# A network of its own, with nothing but the loopback in it.
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout --kill-after=30 600 systemd-nspawn --quiet --directory="$root" --register=no --keep-unit \
  --private-network --console=pipe --boot systemd.show_status=false </dev/null >"$work/console" 2>&1 || true
cat "$root/root/said" 2>/dev/null || { cat "$work/console" >&2; die "the system did not start"; }
[ -f "$root/root/well" ] || die "see above"
