#!/usr/bin/env bash
# Tries a Debian package in clean roots: lintian, then install, configure, run, upgrade, remove and purge, with owners and
# modes checked after each step. For a package of another architecture only lintian and the contents.
#
#   try.sh DEB
#
# As root. Needs debootstrap and lintian; DEB_SUITE names another release than this machine's, DEB_CACHE another place for
# the fresh system that is kept (default /var/cache/jetbackup-remote-try).
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tools/deb/root.sh
. "$here/tools/deb/root.sh"

{ [ $# = 1 ] && [ -f "$1" ]; } || die "usage: try.sh DEB"
deb=$(realpath "$1")
command -v lintian >/dev/null || die "lintian is missing: apt-get install lintian"

step "lintian"
lintian --allow-root --fail-on error,warning "$deb" || die "lintian complains"
echo "no errors, no warnings; what is overridden is explained in packaging/debian/lintian-overrides"

step "contents"
contents=$(dpkg-deb -c "$deb")
for file in usr/bin/jetbackup-remote usr/lib/systemd/system/jetbackup-remote.service \
  usr/lib/systemd/system/jetbackup-remote.timer usr/lib/systemd/system/jetbackup-remote-daemon.service \
  usr/lib/sysusers.d/jetbackup-remote.conf usr/lib/tmpfiles.d/jetbackup-remote.conf \
  usr/share/man/man1/jetbackup-remote.1.gz usr/share/man/man1/jetbackup-remote-run.1.gz \
  usr/share/bash-completion/completions/jetbackup-remote usr/share/zsh/vendor-completions/_jetbackup-remote \
  usr/share/fish/vendor_completions.d/jetbackup-remote.fish usr/share/jetbackup-remote/gate/install.sh \
  usr/share/jetbackup-remote/gate/jetbackup-ssh-gate.sh usr/share/jetbackup-remote/homeassistant/dashboard.yaml \
  usr/share/doc/jetbackup-remote/examples/config.json usr/share/doc/jetbackup-remote/copyright \
  usr/share/doc/jetbackup-remote/changelog.Debian.gz; do
  grep -q " \./$file\$" <<<"$contents" || die "$file is not in the package"
done
if grep -v ' root/root ' <<<"$contents"; then die "not everything belongs to root"; fi
grep -q '^drwxr-x--- .* \./etc/jetbackup-remote/$' <<<"$contents" || die "/etc/jetbackup-remote is open to others"
echo "$(wc -l <<<"$contents") entries"

if [ "$(architecture "$deb")" != "$(dpkg --print-architecture)" ]; then
  echo "not installed: $(architecture "$deb") is not this machine's architecture"
  exit 0
fi

work=$(mktemp -d)
root=
# Never removed while something is mounted in it.
leave() { [ -z "$root" ] || ! mountpoint -q "$root/proc" || umount "$root/proc"; }
trap 'leave && rm -rf "$work"' EXIT
# fresh NAME: a new root, in $root.
fresh() {
  leave
  [ -z "$root" ] || rm -rf "$root"
  root=$work/$1
  mkdir "$root"
  tar -C "$root" -xf "$(base plain systemd)"
  mount -t proc proc "$root/proc"
  cp "$deb" "$root/root/package.deb"
  newer "$deb" "$root/root/newer.deb"
}
inside() { chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"; }
service() { inside runuser -u jetbackup-remote -- "$@"; }
# install FILE: the package's own words are kept in $said.
install_deb() { said=$(inside env DEBIAN_FRONTEND=noninteractive dpkg -i "/root/$1" 2>&1) || die "$said"; echo "$said"; }
says() { grep -qF -- "$1" <<<"$said" || die "this was not said: $1"; }
# is OWNER:GROUP MODE PATH
is() {
  local found
  found=$(inside stat -c '%U:%G %a' "$3") || die "$3 is not there"
  [ "$found" = "$1 $2" ] || die "$3 is $found instead of $1 $2"
  echo "ok: $found $3"
}
gone() { if [ -e "$root$1" ] || [ -L "$root$1" ]; then die "$1 is still there"; fi; echo "ok: no $1"; }
there() { [ -e "$root$1" ] || [ -L "$root$1" ] || die "$1 is gone"; echo "ok: $1 is kept"; }
# ends CODE COMMAND...
ends() {
  local wanted=$1 code=0
  shift
  said=$("$@" 2>&1) || code=$?
  [ "$code" = "$wanted" ] || die "$* ended with $code instead of $wanted: $said"
  echo "ok: ${*/#inside/root:} ends with $code"
}
not_enabled() {
  local unit
  for unit in jetbackup-remote-daemon.service jetbackup-remote.service jetbackup-remote.timer; do
    [ "$(inside systemctl is-enabled "$unit" 2>/dev/null)" != enabled ] || die "$unit is enabled"
  done
  echo "ok: no unit is enabled"
}

step "a fresh system: install"
fresh plain
install_deb package.deb
says "nothing runs yet"
is root:jetbackup-remote 2750 /etc/jetbackup-remote
is jetbackup-remote:jetbackup-remote 750 /var/lib/jetbackup-remote
is jetbackup-remote:jetbackup-remote 750 /var/log/jetbackup-remote
is root:root 755 /usr/bin/jetbackup-remote
is root:root 644 /tmp/jetbackup-remote.lock
inside getent passwd jetbackup-remote | grep -q ':/var/lib/jetbackup-remote:/usr/sbin/nologin$' || die "the user is not as it should be"
not_enabled
ends 1 inside jetbackup-remote validate
inside jetbackup-remote --version

step "configure and run, as root and as the services' user"
inside sh -c 'cp /usr/share/doc/jetbackup-remote/examples/config.json /etc/jetbackup-remote/'
# Nobody answers there, so that the queue ends at once and yet goes through lock, history and log.
sed -i 's/web[12]\.example\.com/127.0.0.1/; s/51514/9/; s/"poll_interval": 30/"poll_interval": 1/' "$root/etc/jetbackup-remote/config.json"
is root:jetbackup-remote 644 /etc/jetbackup-remote/config.json
inside sh -c 'echo key >/etc/jetbackup-remote/id_ed25519; chmod 600 /etc/jetbackup-remote/id_ed25519'
for who in inside service; do
  ends 0 $who jetbackup-remote validate
  ends 0 $who jetbackup-remote run --dry-run
done
ends 2 inside jetbackup-remote run
is jetbackup-remote:jetbackup-remote 660 /var/lib/jetbackup-remote/lock
for file in "$root"/var/lib/jetbackup-remote/*; do
  is jetbackup-remote:jetbackup-remote "$(stat -c %a "$file")" "${file#"$root"}" >/dev/null
done
ends 2 service env LOGS_DIRECTORY=/var/log/jetbackup-remote jetbackup-remote run
ends 2 inside jetbackup-remote run
is jetbackup-remote:jetbackup-remote 640 /var/log/jetbackup-remote/jetbackup-remote.log
is root:root 640 /var/log/jetbackup-remote.log
# A socket that cannot be served is only warned of, and with another C library that was so once.
if grep -F control.sock "$root/var/log/jetbackup-remote.log"; then die "the control socket does not work"; fi
gone /run/jetbackup-remote/control.sock
ends 0 service jetbackup-remote history
history=$said
grep -q "cannot be reached" <<<"$history" || die "nothing is on record: $history"

step "upgrade keeps configuration, state and modes"
inside sh -c 'chmod 640 /etc/jetbackup-remote/config.json; systemctl enable jetbackup-remote.timer' 2>/dev/null
before=$(md5sum "$root/etc/jetbackup-remote/config.json")
install_deb newer.deb
[ "$(md5sum "$root/etc/jetbackup-remote/config.json")" = "$before" ] || die "the configuration was changed"
is root:jetbackup-remote 640 /etc/jetbackup-remote/config.json
is root:jetbackup-remote 2750 /etc/jetbackup-remote
ends 0 service jetbackup-remote history
[ "$said" = "$history" ] || die "the history was changed"
[ "$(inside systemctl is-enabled jetbackup-remote.timer)" = enabled ] || die "the timer is not enabled any more"
echo "ok: the timer is still enabled"

step "remove keeps configuration and state"
said=$(inside dpkg -r jetbackup-remote 2>&1); echo "$said"
gone /usr/bin/jetbackup-remote
there /etc/jetbackup-remote/config.json
there /etc/jetbackup-remote/id_ed25519
there /var/lib/jetbackup-remote/lock
there /var/log/jetbackup-remote/jetbackup-remote.log

step "and it can be installed again"
install_deb package.deb
ends 0 service jetbackup-remote history
[ "$said" = "$history" ] || die "the history was changed"
[ "$(inside systemctl is-enabled jetbackup-remote.timer)" = enabled ] || die "the timer is not enabled any more"

step "purge"
said=$(inside dpkg -P jetbackup-remote 2>&1); echo "$said"
says "kept: /etc/jetbackup-remote"
says "kept: the system user"
for path in /var/lib/jetbackup-remote /var/log/jetbackup-remote /var/log/jetbackup-remote.log /run/jetbackup-remote \
  /usr/share/jetbackup-remote /etc/systemd/system/timers.target.wants/jetbackup-remote.timer \
  /etc/systemd/system/jetbackup-remote.timer /usr/lib/systemd/system/jetbackup-remote.service; do
  gone $path
done
there /etc/jetbackup-remote/config.json
there /etc/jetbackup-remote/id_ed25519

step "over the Python program: its configuration unchanged, its key in root's home"
fresh before
install -d -m 755 "$root/etc/jetbackup-remote"
install -d -m 700 "$root/root/.ssh"
(umask 077 && echo key >"$root/root/.ssh/id_ed25519")
install -m 644 "$here/tests/config/predecessor.json" "$root/etc/jetbackup-remote/config.json"
printf '[Timer]\nOnCalendar=daily\n' >"$root/etc/systemd/system/jetbackup-remote.timer"
touch "$root/usr/local/bin/jetbackup-remote"
before=$(md5sum "$root/etc/jetbackup-remote/config.json")
install_deb package.deb
[ "$(md5sum "$root/etc/jetbackup-remote/config.json")" = "$before" ] || die "the configuration was changed"
says "the services log in with /root/.ssh/id_ed25519"
says "/etc/systemd/system/jetbackup-remote.timer is used instead"
says "/usr/local/bin/jetbackup-remote"
is root:jetbackup-remote 2750 /etc/jetbackup-remote
is root:jetbackup-remote 640 /etc/jetbackup-remote/config.json
is root:root 600 /root/.ssh/id_ed25519
[ "$(readlink "$root/etc/jetbackup-remote/ssh_key")" = /root/.ssh/id_ed25519 ] || die "the key is not linked"
ends 0 service /usr/bin/jetbackup-remote validate
ends 0 service /usr/bin/jetbackup-remote run --dry-run
install_deb newer.deb
[ "$(readlink "$root/etc/jetbackup-remote/ssh_key")" = /root/.ssh/id_ed25519 ] || die "the key is not linked any more"
inside dpkg -P jetbackup-remote 2>&1
there /root/.ssh/id_ed25519
there /etc/jetbackup-remote/config.json
there /etc/systemd/system/jetbackup-remote.timer
gone /etc/jetbackup-remote/ssh_key

step "all is well"
