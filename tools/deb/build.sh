#!/usr/bin/env bash
# Makes the Debian package of one architecture from a binary that is built already, and prints its path.
#
#   build.sh TARGET BINARY [DIRECTORY]    DIRECTORY: where the package goes, dist/ if not given
#
# TARGET is Rust's name of the platform, as tools/dist.sh uses it. The same source and binary make the same package.
#   DEB_MAINTAINER     who is named as maintainer
#   DEB_REVISION       the package's revision of this version, 1 if not given
#   SOURCE_DATE_EPOCH  the time in the package, that of the last commit if not given
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)

die() { echo "build.sh: $*" >&2; exit 1; }

[ $# -ge 2 ] || die "usage: build.sh TARGET BINARY [DIRECTORY]"
target=$1 binary=$2
mkdir -p "${3:-$here/dist}"
out=$(cd "${3:-$here/dist}" && pwd)

# e_machine of the ELF header tells a binary of another platform, which would be found out only on the Pi.
case $target in
  aarch64-*) architecture=arm64 machine=b700 ;;
  armv7-*) architecture=armhf machine=2800 ;;
  x86_64-*) architecture=amd64 machine=3e00 ;;
  *) die "no Debian architecture is known for $target" ;;
esac
[ -f "$binary" ] || die "$binary is not there"
found=$(od -An -tx1 -j18 -N2 "$binary" | tr -d ' ')
[ "$found" = "$machine" ] || die "$binary is not for $target (machine $found instead of $machine)"
command -v dpkg-deb >/dev/null || die "dpkg-deb is missing: apt-get install dpkg"

cd "$here"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# 1.0.0-rc.1 comes before 1.0.0, which Debian writes with a tilde.
version=${version/-/\~}-${DEB_REVISION:-1}
maintainer=${DEB_MAINTAINER:-The authors of jetbackup-remote <packages@jetbackup-remote.invalid>}
if [ -z "${SOURCE_DATE_EPOCH-}" ]; then
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.toml)
fi
export SOURCE_DATE_EPOCH

# Manual pages and completions come from the command line itself; the machine that builds makes them for all platforms.
pages=${CARGO_TARGET_DIR:-target}/pages
cargo run --quiet --locked --example pages -- "$pages"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
umask 022
put() { install -D -m "$1" "$2" "$root/$3"; }
packed() { gzip -9n <"$1" >"$work/packed" && put 644 "$work/packed" "$2"; }
doc=usr/share/doc/jetbackup-remote

put 755 "$binary" usr/bin/jetbackup-remote
for unit in jetbackup-remote.service jetbackup-remote.timer jetbackup-remote-daemon.service; do
  put 644 "systemd/$unit" "usr/lib/systemd/system/$unit"
done
put 644 systemd/jetbackup-remote.sysusers usr/lib/sysusers.d/jetbackup-remote.conf
put 644 systemd/jetbackup-remote.tmpfiles usr/lib/tmpfiles.d/jetbackup-remote.conf
put 644 "$pages/completions/jetbackup-remote" usr/share/bash-completion/completions/jetbackup-remote
put 644 "$pages/completions/_jetbackup-remote" usr/share/zsh/vendor-completions/_jetbackup-remote
put 644 "$pages/completions/jetbackup-remote.fish" usr/share/fish/vendor_completions.d/jetbackup-remote.fish
for page in "$pages"/man1/*.1; do packed "$page" "usr/share/man/man1/${page##*/}.gz"; done
for script in gate/*.sh; do put 755 "$script" "usr/share/jetbackup-remote/$script"; done
while read -r file; do
  put 644 "$file" "usr/share/jetbackup-remote/$file"
done < <(find homeassistant -type f -name '*.yaml' | LC_ALL=C sort)
put 644 homeassistant/README.md usr/share/jetbackup-remote/homeassistant/README.md
put 644 config.example.json "$doc/examples/config.json"
while read -r file; do packed "$file" "$doc/${file#docs/}.gz"; done < <(find docs -type f -name '*.md' | LC_ALL=C sort)
packed README.md "$doc/README.md.gz"
packed systemd/README.md "$doc/systemd.md.gz"
packed CHANGELOG.md "$doc/changelog.gz"
packed LICENSE "$doc/LICENSE.gz"
put 644 packaging/debian/copyright "$doc/copyright"
put 644 packaging/debian/lintian-overrides usr/share/lintian/overrides/jetbackup-remote
cat >"$work/changelog" <<TEXT
jetbackup-remote ($version) stable; urgency=medium

  * Package of version ${version%-*}; changelog.gz tells what changed.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
TEXT
packed "$work/changelog" "$doc/changelog.Debian.gz"
install -d -m 750 "$root/etc/jetbackup-remote"

install -d "$root/DEBIAN"
size=$(du -k --apparent-size -s "$root" | cut -f1)
fill() {
  sed -e "s|@VERSION@|$version|" -e "s|@ARCHITECTURE@|$architecture|" -e "s|@MAINTAINER@|$maintainer|" \
    -e "s|@SIZE@|$size|" "packaging/debian/$1"
}
fill control >"$root/DEBIAN/control"
for script in preinst postinst prerm postrm; do
  fill "$script" >"$root/DEBIAN/$script"
  chmod 755 "$root/DEBIAN/$script"
done
(cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
chmod 644 "$root/DEBIAN/control" "$root/DEBIAN/md5sums"

# xz is what every dpkg reads.
deb=$out/jetbackup-remote_${version}_$architecture.deb
dpkg-deb -Zxz --root-owner-group --build "$root" "$deb" >/dev/null
echo "$deb"
