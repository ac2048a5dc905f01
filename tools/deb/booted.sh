#!/bin/bash
# What boot.sh has a freshly booted system do. Not for a system that is meant for anything else.
set -uo pipefail
export LC_ALL=C.UTF-8 SYSTEMD_COLORS=0 SYSTEMD_PAGER=

daemon=jetbackup-remote-daemon.service
fail() {
  echo "FAILED: $*"
  systemctl status --no-pager --lines=0 jetbackup-remote $daemon
  journalctl --no-pager -n 60 -u jetbackup-remote -u $daemon
  exit 1
}
step() { printf '\n-- %s\n' "$*"; }
ok() { echo "ok: $*"; }
# until WHAT COMMAND...: true within a minute.
until_true() {
  local what=$1 end=$((SECONDS + 60))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || fail "never happened: $what"
    sleep 0.2
  done
  ok "$what"
}
is() {
  local found
  found=$(stat -c '%U:%G %a' "$3") || fail "$3 is not there"
  [ "$found" = "$1 $2" ] || fail "$3 is $found instead of $1 $2"
  ok "$found $3"
}
main_pid() { systemctl show -P MainPID $daemon; }
journal_has() { journalctl --no-pager -o cat -u "$1" | grep -q -- "$2"; }
status_has() { jetbackup-remote status 2>&1 | grep -q -- "$1"; }

systemctl --version | head -1
uname -sr
until_true "sshd listens" bash -c '</dev/tcp/127.0.0.1/22'

step "installed over the Python program's configuration"
dpkg -i /root/package.deb || fail "not installed"
for unit in $daemon jetbackup-remote.timer jetbackup-remote.service; do
  ! systemctl is-active --quiet $unit || fail "$unit runs without having been asked to"
done
ok "nothing runs yet"
is root:root 600 /root/.ssh/id_ed25519
[ -L /etc/jetbackup-remote/ssh_key ] || fail "the key is not linked"
systemd-analyze verify --man=no /usr/lib/systemd/system/jetbackup-remote*.{service,timer} && ok "systemd understands the units" || fail verify

step "root's own run, before any service: the state becomes the services' user's"
jetbackup-remote run --job 000000000000000000000001 || fail "root's run"
for file in /var/lib/jetbackup-remote/*; do is jetbackup-remote:jetbackup-remote "$(stat -c %a "$file")" "$file"; done
is jetbackup-remote:jetbackup-remote 750 /run/jetbackup-remote
is root:root 640 /var/log/jetbackup-remote.log

step "the nightly run: key from root's home, log in its own directory"
systemctl start jetbackup-remote.service || fail "the run"
for text in 'the log file is /var/log/jetbackup-remote/jetbackup-remote.log' 'Completed: Two'; do
  grep -q "$text" /var/log/jetbackup-remote/jetbackup-remote.log || fail "not logged: $text"
done
is jetbackup-remote:jetbackup-remote 640 /var/log/jetbackup-remote/jetbackup-remote.log
! journal_has jetbackup-remote.service 'could not be locked' || fail "the Python program's lock was not to be had"
[ "$(jetbackup-remote history --json | grep -c '"result": *"completed"')" = 3 ] || fail "$(jetbackup-remote history)"
ok "three runs completed"
journalctl --no-pager -o cat -u jetbackup-remote.service | sed 's/^/    /'

step "the Python program holds its lock: nothing is started beside it"
exec 9</tmp/jetbackup-remote.lock
flock 9
! systemctl start jetbackup-remote.service 2>/dev/null || fail "a run was started beside the Python program"
journal_has jetbackup-remote.service 'Python program' || fail "the lock was not noticed"
exec 9<&-
systemctl reset-failed jetbackup-remote.service
ok "refused: $(journalctl --no-pager -o cat -u jetbackup-remote.service | grep 'Python program' | tail -1)"

step "the timer"
systemctl enable --now jetbackup-remote.timer 2>&1 || fail "the timer"
systemctl list-timers --no-pager jetbackup-remote.timer | head -2
systemctl disable --now jetbackup-remote.timer 2>&1

step "the daemon: ready, watched, and reached by root and by the group"
systemctl enable --now $daemon 2>&1 || fail "the daemon did not start"
systemctl show -p Type,NotifyAccess,WatchdogUSec,StatusText,MainPID,User $daemon
[ "$(systemctl show -P WatchdogUSec $daemon)" = 5min ] || fail "no watchdog"
until_true "the watchdog is fed" bash -c "[ \$(systemctl show -P WatchdogTimestampMonotonic $daemon) -gt 0 ]"
is jetbackup-remote:jetbackup-remote 660 /run/jetbackup-remote/control.sock
jetbackup-remote status || fail "root cannot ask the daemon"
useradd -G jetbackup-remote pi && useradd other
said=$(runuser -u pi -- jetbackup-remote status 2>&1)
grep -q "the daemon (process" <<<"$said" || fail "the group cannot ask the daemon: $said"
echo "$said"
ok "a member of the group may ask"
! runuser -u other -- jetbackup-remote status >/dev/null 2>&1 || fail "others can ask the daemon"
ok "others may not"
grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' "/proc/$(main_pid)/status"

step "root's run and the nightly run beside the daemon are handed over"
jetbackup-remote run --job 000000000000000000000001 >/root/handed 2>&1 & handed=$!
until_true "the job runs in the daemon" status_has running
systemctl show -P StatusText $daemon
sed -i 's/"poll_interval": 1/"poll_interval": 2/' /etc/jetbackup-remote/config.json
before=$(main_pid)
systemctl reload $daemon || fail "reload"
until_true "the configuration was read again" journal_has $daemon 'was read again and is in force'
wait $handed || fail "root's run: $(cat /root/handed)"
ok "root's run ended well, over a reload"
systemctl start jetbackup-remote.service || fail "the nightly run beside the daemon"
[ "$(main_pid)" = "$before" ] || fail "the daemon was restarted"
is jetbackup-remote:jetbackup-remote 660 /run/jetbackup-remote/control.sock
ok "the nightly run was handed over, and its end left the socket alone"

step "an upgrade during a backup: the daemon is restarted and takes it up"
jetbackup-remote run --job 000000000000000000000002 >/root/handed 2>&1 & handed=$!
until_true "the job runs" status_has running
before=$(main_pid)
dpkg -i /root/newer.deb || fail "upgrade"
[ "$(main_pid)" != "$before" ] && systemctl is-active --quiet $daemon || fail "the daemon was not restarted"
wait $handed || fail "root's run: $(cat /root/handed)"
[ "$(jetbackup-remote history --json --limit 1 | grep -c '"result": *"completed"')" = 1 ] || fail "$(jetbackup-remote history)"
ok "one run, completed: $(jetbackup-remote history --limit 1 | sed -n 2p)"

step "killed, the daemon comes back; what root's run left is no obstacle"
systemctl kill -s KILL $daemon
until_true "it was started again" bash -c "systemctl show -P NRestarts $daemon | grep -qx 1 && systemctl is-active $daemon"
jetbackup-remote status >/dev/null || fail "it cannot be asked"

step "without the link the services start all the same, and say what is missing"
rm /etc/jetbackup-remote/ssh_key
systemctl restart $daemon || fail "it does not start without the link"
until_true "the message says what to do" journal_has $daemon 'ln -s /root/.ssh/id_ed25519 /etc/jetbackup-remote/ssh_key'
install -o root -g jetbackup-remote -m 640 /root/.ssh/id_ed25519 /etc/jetbackup-remote/id_ed25519
sed -i 's|/root/.ssh/id_ed25519|/etc/jetbackup-remote/id_ed25519|' /etc/jetbackup-remote/config.json
systemctl reload $daemon
jetbackup-remote run --job 000000000000000000000001 >/root/handed 2>&1 || fail "a key the group may read: $(cat /root/handed)"
ok "a key that the group may read does as well"

step "nothing was refused that the program needs"
journalctl --no-pager -o cat -u $daemon -u jetbackup-remote.service | grep -iE 'permission denied|not permitted|EPERM' |
  grep -v 'ln -s /root' && fail "see above"
ok "no refusal in the journal"
grep VmRSS "/proc/$(main_pid)/status"
systemd-analyze security --no-pager $daemon | tail -1

step "removed and purged"
begun=$SECONDS
dpkg -r jetbackup-remote || fail "remove"
echo "stopped and removed in $((SECONDS - begun)) s"
! systemctl is-active --quiet $daemon || fail "the daemon still runs"
[ -f /var/lib/jetbackup-remote/lock ] || fail "the state is gone"
dpkg -P jetbackup-remote || fail "purge"
for path in /var/lib/jetbackup-remote /run/jetbackup-remote /var/log/jetbackup-remote /var/log/jetbackup-remote.log \
  /etc/systemd/system/multi-user.target.wants/$daemon; do
  [ ! -e $path ] && [ ! -L $path ] || fail "$path is still there"
done
ok "nothing is left but configuration and keys"
touch /root/well
