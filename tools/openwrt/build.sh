#!/usr/bin/env bash
# Makes an OpenWrt package (.ipk) of a static binary that is built already, and prints its path.
#
#   build.sh TARGET BINARY [DIRECTORY]    DIRECTORY: where the package goes, dist/ if not given
#
# A static binary runs on every router of its machine, whatever OpenWrt calls that router's architecture (aarch64_generic,
# arm_cortex-a9, ...). So the package says "all", and refuses other machines when it is installed.
#   IPK_RELEASE        the package's release of this version, 1 if not given
#   SOURCE_DATE_EPOCH  the time in the package, that of the last commit if not given
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)

die() { echo "build.sh: $*" >&2; exit 1; }

[ $# -ge 2 ] || die "usage: build.sh TARGET BINARY [DIRECTORY]"
target=$1 binary=$2
mkdir -p "${3:-$here/dist}"
out=$(cd "${3:-$here/dist}" && pwd)

# What `uname -m` says there.
case $target in
  aarch64-*) machines='aarch64' name=aarch64 ;;
  armv7-*) machines='armv7*|armv8l' name=armv7 ;;
  x86_64-*) machines='x86_64' name=x86_64 ;;
  *) die "no router is known for $target" ;;
esac
[ -f "$binary" ] || die "$binary is not there"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/Cargo.toml" | head -1)
# 1.0.0-rc.1 comes before 1.0.0, which opkg, like Debian, writes with a tilde.
version=${version/-/\~}-${IPK_RELEASE:-1}
if [ -z "${SOURCE_DATE_EPOCH-}" ]; then
  SOURCE_DATE_EPOCH=$(git -C "$here" log -1 --format=%ct 2>/dev/null || stat -c %Y "$here/Cargo.toml")
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
files=$here/openwrt/jetbackup-remote/files
put() { install -D -m "$1" "$2" "$work/data/$3"; }
put 755 "$binary" usr/bin/jetbackup-remote
put 755 "$files/jetbackup-remote.init" etc/init.d/jetbackup-remote
put 600 "$files/jetbackup-remote.config" etc/config/jetbackup-remote
put 644 "$files/jetbackup-remote.keep" lib/upgrade/keep.d/jetbackup-remote

mkdir "$work/control"
cat >"$work/control/control" <<TEXT
Package: jetbackup-remote
Version: $version
Depends: ca-bundle
Section: admin
Architecture: all
Installed-Size: $(find "$work/data" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
License: AGPL-3.0-or-later
Require-User: jetbackup-remote:jetbackup-remote
Description: Runs the JetBackup 5 backup jobs of several hosting servers strictly one at a time.
TEXT
echo /etc/config/jetbackup-remote >"$work/control/conffiles"
cat >"$work/control/preinst" <<TEXT
#!/bin/sh
# The binary is static, but for one kind of machine. An image is put together on another one.
[ -z "\$IPKG_INSTROOT" ] || exit 0
case \$(uname -m) in
  $machines) ;;
  *) echo "this package is for $name, and this is \$(uname -m): take the one for it" >&2; exit 1 ;;
esac
TEXT
# What OpenWrt does for every package: the user, the start at boot, the first start.
cat >"$work/control/postinst" <<'TEXT'
#!/bin/sh
[ "$IPKG_NO_SCRIPT" = 1 ] && exit 0
[ -s "$IPKG_INSTROOT/lib/functions.sh" ] || exit 0
. "$IPKG_INSTROOT/lib/functions.sh"
default_postinst "$0" "$@"
TEXT
cat >"$work/control/prerm" <<'TEXT'
#!/bin/sh
[ -s "$IPKG_INSTROOT/lib/functions.sh" ] || exit 0
. "$IPKG_INSTROOT/lib/functions.sh"
default_prerm "$0" "$@"
TEXT
chmod 755 "$work"/control/{preinst,postinst,prerm}
echo 2.0 >"$work/debian-binary"

# The same source and binary make the same package.
pack() {
  tar --create --directory="$1" --format=gnu --sort=name --numeric-owner --owner=0 --group=0 \
    --mtime="@$SOURCE_DATE_EPOCH" "${@:3}" | gzip -9n >"$2"
}
pack "$work/data" "$work/data.tar.gz" .
pack "$work/control" "$work/control.tar.gz" .
package=$out/jetbackup-remote_${version}_$name.ipk
pack "$work" "$package" ./debian-binary ./data.tar.gz ./control.tar.gz
echo "$package"
