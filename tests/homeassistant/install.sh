#!/usr/bin/env bash
# Installs what the test with a real Home Assistant needs: Debian packages, and below .cache/root a small Debian of its
# own with the Python that Home Assistant wants and Home Assistant in it. Takes a few minutes and 1.3 GB once, and a
# second after that. Needs Debian, bookworm or newer, and root or sudo.
set -euo pipefail
cd "$(dirname "$0")"

VERSION=2026.11.0
SUITE=forky
PYTHON=python3.14
ROOT=.cache/root

say() { printf '[%4s s] %s\n' "$SECONDS" "$*"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -E "$@"; fi; }
logged() { "$@" >.cache/log 2>&1 || { tail -n 30 .cache/log >&2; exit 1; }; }

mkdir -p .cache

packages=()
for package in debootstrap mosquitto mosquitto-clients chromium python3-minimal ca-certificates xz-utils; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || packages+=("$package")
done
if ((${#packages[@]})); then
  say "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # No broker of the system: the tests start their own.
  guard=/usr/sbin/policy-rc.d
  [ -e "$guard" ] || { printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null; as_root chmod 755 "$guard"; made=1; }
  logged as_root apt-get -o DPkg::Lock::Timeout=600 -q update
  logged as_root apt-get -o DPkg::Lock::Timeout=600 -q install -y --no-install-recommends "${packages[@]}"
  [ -z "${made-}" ] || as_root rm "$guard"
fi

# Everything that decides what is below .cache/root.
wanted="$VERSION $SUITE $PYTHON $(sha256sum <requirements.py)"
if [ "$(cat .cache/installed 2>/dev/null)" = "$wanted" ]; then
  say "Home Assistant $VERSION is installed"
  exit
fi
as_root rm -rf --one-file-system .cache/installed "$ROOT"

say "a Debian with $PYTHON"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/\?$') ||
  { echo "apt knows no mirror of Debian here; run this on Debian, or in a container of it" >&2; exit 1; }
# Of newer suites, only the script of the generic one is known to older versions of debootstrap.
logged as_root debootstrap --variant=minbase --include="$PYTHON,$PYTHON-venv,ca-certificates" \
  "$SUITE" "$ROOT" "$mirror" /usr/share/debootstrap/scripts/sid
# What this machine trusts and asks, it does there too.
as_root cp -f /etc/ssl/certs/ca-certificates.crt "$ROOT/etc/ssl/certs/"
as_root cp -fL /etc/resolv.conf "$ROOT/etc/"

# Runs a command in there. Its mounts are gone when it ends.
inside() {
  as_root unshare --mount bash -c '
    mount --rbind /proc "$0/proc"; mount --rbind /dev "$0/dev"
    exec chroot "$0" /usr/bin/env HOME=/root PATH=/opt/ha/bin:/usr/bin:/bin "$@"' "$ROOT" "$@"
}

say "Home Assistant $VERSION"
logged inside "$PYTHON" -m venv /opt/ha
logged inside pip install --quiet --no-cache-dir uv
install=(inside uv pip install --quiet --no-cache --system-certs --python /opt/ha/bin/python)
logged "${install[@]}" "homeassistant==$VERSION"

say "what its integrations need"
# Otherwise it would install that itself at every start.
as_root cp requirements.py "$ROOT/tmp/"
inside python /tmp/requirements.py mqtt hassio history recorder logbook config template blueprint >.cache/requirements
grep == .cache/requirements | as_root tee "$ROOT/tmp/pinned" >/dev/null
grep -v == .cache/requirements | as_root tee "$ROOT/tmp/unpinned" >/dev/null
constraints=$(inside python -c 'import homeassistant; print(homeassistant.__path__[0] + "/package_constraints.txt")')
logged "${install[@]}" --constraint "$constraints" --requirement /tmp/pinned
# These must not meet the constraints, which pin them.
logged "${install[@]}" --only-binary :all: --requirement /tmp/unpinned

as_root chown -R "$(id -u):$(id -g)" "$ROOT"
echo "$wanted" >.cache/installed
say "done, $(du -sh "$ROOT" | cut -f 1)"
