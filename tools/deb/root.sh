# For the scripts beside it, which source it: clean Debian systems to try packages in. Needs root and debootstrap.
# shellcheck shell=bash

die() { echo "${0##*/}: $*" >&2; exit 1; }
step() { printf '\n== %s\n' "$*"; }

[ "$(id -u)" = 0 ] || die "needs root, for chroot and file owners"
command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"

# shellcheck disable=SC1091
suite=${DEB_SUITE:-$(. /etc/os-release && echo "$VERSION_CODENAME")}
cache=${DEB_CACHE:-/var/cache/jetbackup-remote-try}

# The mirror that this machine uses itself: the first one of its apt configuration with Debian's main archive.
mirror() {
  local found
  found=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v suite="$suite" '$2 == suite && $3 == "main" { print $1; exit }')
  echo "${found:-http://deb.debian.org/debian}"
}

# base NAME [PACKAGE,...]: the path of a tar file with a fresh system. It is made once and kept.
base() {
  local name=$1 packages=${2-} tar=$cache/$suite-$1.tar work
  if [ ! -f "$tar" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/making.XXXXXX")
    debootstrap --variant=minbase ${packages:+"--include=$packages"} "$suite" "$work/root" "$(mirror)" >"$work/log" 2>&1 ||
      { cat "$work/log" >&2; die "debootstrap failed"; }
    # As on this machine: packages come by the same mirror, proxies and certificates.
    cp /etc/apt/apt.conf.d/*proxy* "$work/root/etc/apt/apt.conf.d/" 2>/dev/null || true
    tar -C "$work/root" -cf "$tar.part" . && mv "$tar.part" "$tar"
    rm -rf "$work"
  fi
  echo "$tar"
}

# architecture DEB
architecture() { dpkg-deb -f "$1" Architecture; }

# newer DEB FILE: the same package as the next revision.
newer() {
  local work
  work=$(mktemp -d)
  dpkg-deb -R "$1" "$work/root"
  sed -i 's/^Version: .*/&.1/' "$work/root/DEBIAN/control"
  dpkg-deb --root-owner-group --build "$work/root" "$2" >/dev/null
  rm -rf "$work"
}
