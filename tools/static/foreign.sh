#!/usr/bin/env bash
# foreign.sh TARGET BINARY: puts a released binary through whole queues, on its own machine or under qemu: real sshd and
# gate, a real broker, commands by MQTT, the control socket, mail, kills and restarts. The tests are those of cargo.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
target=${1:?foreign.sh TARGET BINARY}
binary=$(readlink -f "${2:?foreign.sh TARGET BINARY}")
cd "$here/../.."

wrapped=$(mktemp -d)
trap 'rm -rf "$wrapped"' EXIT
qemu=$(qemu_for "$target")
if [ "$(uname -m)" = "${target%%-*}" ]; then qemu=; fi
# As the tests call it: one program without arguments before its own.
printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${qemu:+"$(command -v "$qemu")"}" "$binary" >"$wrapped/jetbackup-remote"
chmod +x "$wrapped/jetbackup-remote"

export JETBACKUP_REMOTE_BINARY=$wrapped/jetbackup-remote
echo "$target: whole queues ${qemu:+under $qemu}"
cargo test --workspace --locked --test mqtt -- commands:: ends::
cargo test --workspace --locked --test end_to_end -- daemon:: handed:: nights::
