#!/bin/sh
# install.sh - puts the SSH gate of jetbackup-remote on a JetBackup server.
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Run as root on the server, from the folder that holds jetbackup-ssh-gate.sh. Plain POSIX sh.

set -f -u
unset IFS CDPATH
LC_ALL=C
export LC_ALL
umask 077

GATE_NAME=jetbackup-ssh-gate.sh
GATE=/usr/local/bin/$GATE_NAME
SELF=install.sh

usage() {
    cat <<TEXT
Usage: sh install.sh [--key 'ssh-ed25519 AAAA...' | --key-file FILE] [--add]
                     [--from ADDRESS[,ADDRESS]] [--allow WORD]... [--prefix DIR]

Installs $GATE. With a key it prints the line for
root's authorized_keys on standard output; with --add it also puts it there.

  --key LINE       the public key of the machine that runs jetbackup-remote
  --key-file FILE  the same, from a file of one line
  --from LIST      addresses, networks or host patterns the key may come from
  --allow WORD     opens more of the API to this key; may be repeated:
                     log          read what a backup wrote into its log
                     destination  see destinations and their free space
                     switch       enable and disable jobs and destinations
  --add            put the line into authorized_keys; a line of this gate for
                   the same key is replaced, no other line is touched
  --prefix DIR     install below DIR instead of / (packages, tests)
  --help           this text

Exit status: 0 done, 1 nothing or not everything was done (the reason is told).
TEXT
}

say() { printf '%s\n' "$SELF: $1" >&2; }
warn() { say "warning: $1"; }
fail() {
    say "error: $1"
    exit 1
}

# --- Arguments ------------------------------------------------------------------------------------------------

key_line=
key_file=
from=
allow=
prefix=
add=no

while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        usage
        exit 0
        ;;
    --add)
        add=yes
        shift
        continue
        ;;
    --key | --key-file | --from | --allow | --prefix) ;;
    *) fail "unknown argument '$1' (see --help)" ;;
    esac
    [ -n "${2-}" ] || fail "$1 needs a value (see --help)"
    case $1 in
    --key) key_line=$2 ;;
    --key-file) key_file=$2 ;;
    --from) from=$2 ;;
    --prefix) prefix=${2%/} ;;
    --allow)
        case $2 in
        log | destination | switch) ;;
        *) fail "--allow '$2' is none of log, destination, switch" ;;
        esac
        case " $allow " in
        *" --allow $2 "*) ;;
        *) allow="${allow:+$allow }--allow $2" ;;
        esac
        ;;
    esac
    shift 2
done

[ -z "$key_line" ] || [ -z "$key_file" ] || fail "give either --key or --key-file, not both"
if [ -n "$key_file" ]; then
    [ -r "$key_file" ] || fail "can't read the key file '$key_file'"
    key_line=$(cat "$key_file") || fail "can't read the key file '$key_file'"
    [ -n "$key_line" ] || fail "the key file '$key_file' is empty"
fi
[ "$add" = no ] || [ -n "$key_line" ] || fail "--add needs a key: give --key or --key-file"

# --- The key --------------------------------------------------------------------------------------------------

NEWLINE='
'

# check_key LINE: sets $key_type, $key_blob and $key_comment, or ends with what is wrong.
check_key() {
    case $1 in
    *"$NEWLINE"*) fail "the key must be a single line" ;;
    *PRIVATE*) fail "this is a private key; the server gets the public one (the file ending in .pub)" ;;
    esac
    key_type=${1%% *}
    # The beginning is the type once more, length and name in base64: a cut or mixed-up line does not have it.
    case $key_type in
    ssh-ed25519) begins=AAAAC3NzaC1lZDI1NTE5AAAAI ;;
    ssh-rsa) begins=AAAAB3NzaC1yc2EAAAA ;;
    ecdsa-sha2-nistp256) begins=AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAA ;;
    ecdsa-sha2-nistp384) begins=AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAA ;;
    ecdsa-sha2-nistp521) begins=AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAA ;;
    *) fail "the key must begin with its type (ssh-ed25519, ssh-rsa, ecdsa-sha2-nistp256/384/521), without options before it" ;;
    esac
    case $1 in
    "$key_type "*) ;;
    *) fail "the key is cut: nothing follows its type" ;;
    esac
    key_blob=${1#"$key_type "}
    case $key_blob in
    *' '*)
        key_comment=${key_blob#* }
        key_blob=${key_blob%% *}
        ;;
    *) key_comment= ;;
    esac
    case $key_blob in
    '' | *[!ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=]*)
        fail "the key is not base64 after its type"
        ;;
    esac
    case ${key_blob%=} in
    *=?*) fail "the key is not base64 after its type: '=' stands in the middle" ;;
    esac
    case $key_blob in
    "$begins"*) ;;
    *) fail "the key does not hold the type '$key_type' it names: it is cut or mixed up" ;;
    esac
    [ $((${#key_blob} % 4)) -eq 0 ] || fail "the key is cut: base64 comes in groups of four characters"
    case $key_type in
    ssh-ed25519) [ ${#key_blob} -eq 68 ] || fail "an ssh-ed25519 key has 68 characters after its type, this one ${#key_blob}" ;;
    *) [ ${#key_blob} -ge 100 ] || fail "the key is cut: only ${#key_blob} characters after its type" ;;
    esac
    # A comment is decoration; whatever could disturb a reader of the file is left out of it.
    case $key_comment in
    *[!ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@._:+=,\ -]*)
        warn "the comment of the key has unusual characters and is left out"
        key_comment=
        ;;
    esac
}

# check_from LIST: addresses, networks and patterns as sshd knows them, joined by commas.
check_from() {
    positive=no
    list=$1
    while :; do
        one=${list%%,*}
        case $one in
        !*) bare=${one#!} ;;
        *)
            bare=$one
            positive=yes
            ;;
        esac
        case $bare in
        '' | *[!ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:*?/_-]*)
            fail "--from '$1': '$one' is not an address, a network or a host pattern"
            ;;
        esac
        case $list in
        *,*) list=${list#*,} ;;
        *) break ;;
        esac
    done
    [ "$positive" = yes ] || fail "--from '$1' has only exceptions (!...), so nobody could log in"
}

[ -z "$key_line" ] || check_key "$key_line"
[ -z "$from" ] || check_from "$from"

# --- The server -----------------------------------------------------------------------------------------------

source_dir=$(dirname -- "$0") || fail "can't tell in which folder this script is"
source_file=$source_dir/$GATE_NAME
[ -r "$source_file" ] || fail "$GATE_NAME must be in the same folder as this script ($source_dir)"

uid=$(id -u)
[ -n "$prefix" ] || [ "$uid" = 0 ] || fail "run this as root: it writes $GATE and root's authorized_keys"
[ -z "$prefix" ] || [ -d "$prefix" ] || fail "--prefix '$prefix' is not a folder"

# With a prefix the files are for another machine (or another time): what is missing here is not missing there.
if [ -z "$prefix" ]; then
    command -v timeout >/dev/null 2>&1 || fail "no 'timeout' program: the gate refuses to work without it; install coreutils"
    command -v logger >/dev/null 2>&1 || warn "no 'logger' program: the gate works, but nothing it allows or refuses is recorded; install util-linux (or bsdutils)"
    [ -x /usr/bin/jetbackup5api ] || warn "no /usr/bin/jetbackup5api: is JetBackup 5 installed here? Until then every call fails"
fi

# --- The gate -------------------------------------------------------------------------------------------------

# relabel PATH: gives it the SELinux label of its place, where there is SELinux.
relabel() {
    if [ -z "$prefix" ] && command -v restorecon >/dev/null 2>&1; then
        restorecon -R "$1" || warn "restorecon $1 failed; if logins are refused, look at SELinux"
    fi
}

temporary=
trap '[ -z "$temporary" ] || rm -f -- "$temporary"' EXIT
trap 'exit 1' HUP INT TERM

target=$prefix$GATE
target_dir=${target%/*}
(umask 022 && mkdir -p -- "$target_dir") || fail "can't create $target_dir"
# A temporary file in the same folder, then a rename: a login in this very moment finds the old gate or the new
# one, never half of one.
temporary=$(mktemp "$target_dir/.$GATE_NAME.XXXXXX") || fail "can't write into $target_dir"
cat -- "$source_file" >"$temporary" || fail "can't write $temporary"
if [ "$uid" = 0 ]; then
    chown 0:0 "$temporary" || fail "can't give $temporary to root"
fi
chmod 0755 "$temporary" || fail "can't make $temporary executable"
version=$(sh "$temporary" --version) || fail "$source_file does not run here; nothing was changed"
mv -f -- "$temporary" "$target" || fail "can't move the gate to $target"
temporary=
relabel "$target"
say "installed $target ($version)"

# --- authorized_keys ------------------------------------------------------------------------------------------

if [ -z "$key_line" ]; then
    say "no key given; to get the line for authorized_keys run this again with --key or --key-file"
    exit 0
fi

line="restrict,command=\"$GATE${allow:+ $allow}\" $key_type $key_blob${key_comment:+ $key_comment}"
[ -z "$from" ] || line="from=\"$from\",$line"

if [ "$add" = no ]; then
    printf '%s\n' "$line"
    say "put this line into /root/.ssh/authorized_keys, or run this again with --add"
    exit 0
fi

ssh_dir=$prefix/root/.ssh
keys=$ssh_dir/authorized_keys
if [ ! -d "$ssh_dir" ]; then
    # The umask above leaves it to root alone.
    mkdir -p -- "$ssh_dir" || fail "can't create $ssh_dir"
fi
if [ -L "$keys" ]; then
    keys=$(readlink -f -- "$keys") || fail "$ssh_dir/authorized_keys is a link that leads nowhere"
    ssh_dir=${keys%/*}
fi
[ -e "$keys" ] || : >"$keys" || fail "can't create $keys"
[ -f "$keys" ] || fail "$keys is not a file"

# Each line that holds this very key is counted: under this gate ("ours") or outside of it ("other").
# The values go by the environment, where awk reads no escapes into them.
# shellcheck disable=SC2016 # These are awk's fields, not the shell's.
merge='
    BEGIN { blob = ENVIRON["KEY_BLOB"]; command = ENVIRON["KEY_COMMAND"]; line = ENVIRON["KEY_LINE"] }
    {
        holds = 0
        if ($0 !~ /^[ \t]*#/) {
            for (i = 1; i <= NF; i++) if ($i == blob) holds = 1
        }
        if (!holds) { if (!count) print; next }
        at = index($0, command)
        after = substr($0, at + length(command), 1)
        if (at && (after == "\"" || after == " ")) {
            if (!ours && !count) print line
            ours = 1
        } else {
            other = other " " NR
            if (!count) print
        }
    }
    END { if (count) print other; else if (!ours) print line }
'
# shellcheck disable=SC2089,SC2090 # The quotes belong to the text.
export KEY_BLOB="$key_blob" KEY_COMMAND="command=\"$GATE" KEY_LINE="$line"

# sshd takes the first line that holds a key. One without the gate would open the whole server.
other=$(awk -v count=1 "$merge" <"$keys") || fail "can't read $keys"
[ -z "$other" ] || fail "$keys holds the same key outside of the gate (line$other): sshd may let it do anything. \
Remove that first; authorized_keys was not changed"

temporary=$(mktemp "$ssh_dir/.authorized_keys.XXXXXX") || fail "can't write into $ssh_dir"
awk -v count=0 "$merge" <"$keys" >"$temporary" || fail "can't write $temporary; authorized_keys was not changed"
printf '%s\n' "$line"
if cmp -s -- "$temporary" "$keys"; then
    chmod 0600 "$keys" || fail "can't set the permissions of $keys"
    say "$keys has this line already"
    exit 0
fi
if [ "$uid" = 0 ]; then
    chown 0:0 "$temporary" || fail "can't give $temporary to root"
fi
chmod 0600 "$temporary" || fail "can't set the permissions of $temporary; authorized_keys was not changed"
mv -f -- "$temporary" "$keys" || fail "can't replace $keys; it was not changed"
temporary=
relabel "$ssh_dir"
say "$keys now lets this key in through the gate"
