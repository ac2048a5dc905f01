#!/usr/bin/env bash
# Checks the systemd units: that systemd understands every line, how exposed the services are, and what they must keep.
# Needs systemd's tools, but neither root nor a running systemd.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "check-units.sh: $*" >&2; exit 1; }
command -v systemd-analyze >/dev/null || die "systemd-analyze is missing: apt-get install systemd"

# 2.0, in tenths.
threshold=20
services=(jetbackup-remote.service jetbackup-remote-daemon.service)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The program is not installed here, and a program that is not there is a fault to systemd.
for unit in systemd/*.service systemd/*.timer; do
  sed "s|/usr/bin/jetbackup-remote |$(command -v true) |" "$unit" >"$work/${unit##*/}"
done

echo "== understood"
# It warns of unknown settings and ends well nevertheless.
told=$(cd "$work" && systemd-analyze verify --man=no ./*.service ./*.timer 2>&1) || die "$told"
[ -z "$told" ] || die "$told"
echo "every setting is known to $(systemctl --version | head -1)"

echo "== exposure"
for service in "${services[@]}"; do
  verdict=$(systemd-analyze security --offline=true --no-pager --threshold=$threshold "$work/$service") ||
    die "$service is too exposed: $verdict"
  tail -1 <<<"$verdict"
done

echo "== what the services must keep"
for service in "${services[@]}"; do
  # The first six are what the Python program's unit had.
  for line in ProtectSystem=strict PrivateTmp=true NoNewPrivileges=true ProtectHome=true ProtectKernelModules=true \
    ProtectKernelTunables=true User=jetbackup-remote StateDirectory=jetbackup-remote RuntimeDirectory=jetbackup-remote \
    RuntimeDirectoryPreserve=yes LogsDirectory=jetbackup-remote LoadCredential=ssh_key:/etc/jetbackup-remote/ssh_key; do
    grep -qx "$line" "systemd/$service" || die "$service lacks $line"
  done
  # Both run as the same user on the same state: what one may, the other may.
  sed -n '/^# -- who it is/,/^\[Install\]/{/^\[Install\]/d;/^$/d;p}' "systemd/$service" >"$work/$service.shared"
done
cmp -s "$work/${services[0]}.shared" "$work/${services[1]}.shared" ||
  die "the services differ: $(diff "$work/${services[0]}.shared" "$work/${services[1]}.shared")"
number() { sed -n "s/^$1=\([0-9]*\)$/\1/p" systemd/jetbackup-remote-daemon.service; }
[ "$(number WatchdogSec)" -ge 300 ] || die "the watchdog is too short for a queue that turns once a minute"
[ "$(number TimeoutStopSec)" -ge 90 ] || die "the daemon is not given the time to end"

echo "== every line is explained"
# A setting follows a comment, or another setting of the same comment. Three explain themselves.
for unit in systemd/*.service systemd/*.timer systemd/*.sysusers systemd/*.tmpfiles; do
  awk -v unit="$unit" '
    /^#/ { said = 1; next }
    /^$/ || /^\[/ { said = 0; next }
    /^(Description|Documentation|WantedBy)=/ { next }
    !said { print unit ": not explained: " $0; bad = 1 }
    END { exit bad }' "$unit" || die "see above"
done

next=$(systemd-analyze calendar "$(sed -n 's/^OnCalendar=//p' systemd/jetbackup-remote.timer)") || die "the timer never elapses"
grep -q 'Normalized form: \*-\*-\* 02:00:00' <<<"$next" || die "the timer does not start at two: $next"
echo "all is well"
