# What the scripts beside this one agree on. Sourced, never run.

# Where compiler, linker and their caches live: away from rustup's and the user's own.
TOOLS=${JETBACKUP_REMOTE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/jetbackup-remote-static}
VENV=$TOOLS/venv

TARGETS="x86_64-unknown-linux-musl aarch64-unknown-linux-musl armv7-unknown-linux-musleabihf"

# What runs a binary of another machine here.
qemu_for() {
  case $1 in
    aarch64-*) echo qemu-aarch64-static ;;
    armv7-*) echo qemu-arm-static ;;
  esac
}

die() { echo "$*" >&2; exit 1; }
