#!/usr/bin/env bash
# Tries an OpenWrt package in a root that has what a router has: busybox and its ash, /var in memory, procd's part played
# by a few lines. The daemon runs as its user, answers root's command line, reads its configuration again, and ends.
#
#   try.sh IPK    (one for this machine)
#
# As root. Needs busybox.
set -euo pipefail

die() { echo "try.sh: $*" >&2; exit 1; }
ok() { echo "ok: $*"; }

[ $# = 1 ] && [ -f "$1" ] || die "usage: try.sh IPK"
[ "$(id -u)" = 0 ] || die "needs root, for chroot and file owners"
busybox=$(command -v busybox) || die "busybox is missing: apt-get install busybox"
package=$(realpath "$1")

root=$(mktemp -d)
finish() {
  if [ -s "$root/tmp/pid" ]; then kill "$(cat "$root/tmp/pid")" 2>/dev/null || true; fi
  umount "$root/proc" 2>/dev/null || true
  rm -rf "$root"
}
trap finish EXIT
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

# A router, as far as it matters here.
mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,etc,lib/functions,tmp/run,proc,dev}
cp "$busybox" "$root/bin/busybox"
# What it is linked with; nothing if it is static.
for library in $(ldd "$busybox" 2>/dev/null | grep -o '/[^ ]*'); do
  install -D "$library" "$root$library"
done
chroot "$root" /bin/busybox --install -s
ln -s tmp "$root/var"
chmod 1777 "$root/tmp"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/urandom" c 1 9
mount -t proc proc "$root/proc"
echo 'root:x:0:0:root:/root:/bin/ash' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
cat >"$root/lib/functions.sh" <<'TEXT'
config_load() { . /etc/uci; }
config_get() { eval "$1=\"\${uci_$3:-\$4}\""; }
config_get_bool() { config_get "$@"; }
default_postinst() {
	echo 'jetbackup-remote:x:400:' >>/etc/group
	echo 'jetbackup-remote:x:400:400::/var:/bin/false' >>/etc/passwd
	/etc/init.d/jetbackup-remote start
}
TEXT
echo 'network_is_up() { [ "$1" = lan ]; }' >"$root/lib/functions/network.sh"
touch "$root/etc/uci" "$root/etc/openwrt_release"
cat >"$root/etc/rc.common" <<'TEXT'
#!/bin/sh
# procd's part: one instance, by start-stop-daemon.
. /lib/functions.sh
logger() { echo "$*"; }
procd_open_instance() { command= user=; }
procd_set_param() { case $1 in command | user) eval "$1=\"\$2\""; shift; [ "$1" = "$command" ] && { shift; command="$command $*"; } ;; esac; true; }
procd_append_param() { shift; command="$command $*"; }
procd_close_instance() {
	[ -s /tmp/pid ] && kill -0 "$(cat /tmp/pid)" 2>/dev/null && return
	start-stop-daemon -S -m -p /tmp/pid -c "$user" -x "${command%% *}" -- ${command#* } >/tmp/said 2>&1 &
}
procd_send_signal() { kill "-$3" "$(cat /tmp/pid)"; }
start() { start_service; }
initscript=$1
. "$initscript"
case $2 in
	boot | start) "$2" ;;
	reload) reload_service ;;
	stop) kill "$(cat /tmp/pid)" ;;
esac
TEXT
chmod 755 "$root/etc/rc.common"

# What opkg does.
mkdir "$root/tmp/control"
tar --to-stdout -xzf "$package" ./control.tar.gz | tar -xz -C "$root/tmp/control"
inside ash /tmp/control/preinst
tar --to-stdout -xzf "$package" ./data.tar.gz | tar -xz --no-same-owner -C "$root"
said=$(inside ash /tmp/control/postinst)
[[ $said == *"not started: there is no /etc/jetbackup-remote/config.json yet"* ]] || die "without a configuration: $said"
ok "installed, and not started without a configuration"

owner() { stat -c '%u:%g %a' "$root$1"; }
[ "$(owner /etc/jetbackup-remote)" = "0:400 2750" ] || die "/etc/jetbackup-remote: $(owner /etc/jetbackup-remote)"
[ "$(owner /etc/jetbackup-remote/state)" = "400:400 750" ] || die "state: $(owner /etc/jetbackup-remote/state)"
[ "$(readlink "$root/var/lib/jetbackup-remote")" = /etc/jetbackup-remote/state ] || die "no link to the state"
ok "directories and owners"

inside jetbackup-remote init --yes --server nas=127.0.0.1:9 --schedule none >"$root/tmp/init" 2>&1 && die "nothing listens there"
[ -s "$root/etc/jetbackup-remote/config.json" ] || die "init wrote nothing: $(cat "$root/tmp/init")"
inside jetbackup-remote validate
ok "init: $(owner /etc/jetbackup-remote/config.json) config.json, $(owner /etc/jetbackup-remote/id_ed25519) id_ed25519"

until_true() {
  local what=$1 end=$((SECONDS + 60))
  shift
  until "$@"; do
    ((SECONDS < end)) || die "never happened: $what. It said: $(cat "$root/tmp/said")"
    read -rt 0.2 <> <(:) || true
  done
}
# A boot forgets /var.
rm -rf "$root"/tmp/{lib,run}
mkdir "$root/tmp/run"
inside /etc/init.d/jetbackup-remote boot
# Its server is out of reach, so the exit code is 2.
answers() {
  [ -s "$root/tmp/pid" ] && [[ $(inside jetbackup-remote status --json 2>/dev/null || true) == *"\"runner\": $(cat "$root/tmp/pid"),"* ]]
}
until_true "root's command line finds the daemon" answers
pid=$(cat "$root/tmp/pid")
[ "$(stat -c %u "/proc/$pid")" = 400 ] || die "the daemon is not its own user's"
ok "booted: the daemon runs as its user, and answers root's command line"

inside /etc/init.d/jetbackup-remote start
[ "$(cat "$root/tmp/pid")" = "$pid" ] || die "a second start made a second daemon"
reread() { grep -qi 'configuration' "$root/tmp/said"; }
inside /etc/init.d/jetbackup-remote reload
until_true "it reads its configuration again" reread
inside /etc/init.d/jetbackup-remote stop
gone() { ! kill -0 "$pid" 2>/dev/null; }
until_true "it ends" gone
ok "started twice, reloaded, stopped"
[ -s "$root/etc/jetbackup-remote/state/history.db" ] || die "there is no history on flash"
ok "the history is on flash"
