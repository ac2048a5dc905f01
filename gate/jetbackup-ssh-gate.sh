#!/bin/sh
# jetbackup-ssh-gate.sh - what the key of jetbackup-remote may do on this server.
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Stands in root's authorized_keys, where this server's owner decides what is open:
#
#   restrict,command="/usr/local/bin/jetbackup-ssh-gate.sh --allow log" ssh-ed25519 AAAA...
#
# The text that the client sent (SSH_ORIGINAL_COMMAND) is read here, byte by byte, against the closed grammar
# below. Nothing of it ever reaches a shell, a pattern, a format or an arithmetic expression: either all of it
# is understood and jetbackup5api is started with a list of arguments, or it is refused and written to syslog.
#
#   always               echo "jetbackup-remote-ok" (answered here), getInfo, getBackupJob, listBackupJobs,
#                        runBackupJobManually, listQueueGroups, getQueueGroup, stopQueueGroup, listLogs
#   --allow log          getLog
#   --allow destination  getDestination, listDestinations
#   --allow switch       manageBackupJob, manageDestination, manageDestinationState: "disabled" and nothing else
#
# Plain POSIX sh: behaves the same under dash, bash and busybox ash.

# The environment may be the client's (AcceptEnv). These lines come first and use special built-ins only, which
# no function imported by bash can replace.
unset -f cd command printf tr env timeout logger
unset IFS ENV BASH_ENV CDPATH GLOBIGNORE POSIXLY_CORRECT
set -f -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
API=/usr/bin/jetbackup5api

# Counted up whenever this file changes what it lets through or how; the program asks for an update by it.
VERSION=1
TAG=jetbackup-ssh-gate
# The client gives up after 30 seconds. Ending the call earlier leaves nothing behind that nobody waits for, and
# stops no backup: those run in JetBackup's own daemon.
LIMIT_S=25
MAX_BYTES=1024
MAX_SHOWN=300

exec </dev/null
cd /

# --- Telling ------------------------------------------------------------------------------------------------

# printable TEXT: its beginning, with everything that is not printable ASCII as "?".
printable() {
    printf "%.${MAX_SHOWN}s" "$1" | tr -c ' -~' '?'
}

# log PRIORITY TEXT: to syslog, in the background and bounded, so that a stuck syslog neither delays nor changes
# a decision. The inner shell ends at once: jetbackup5api does not inherit a child it knows nothing of.
log() {
    (
        if command -v timeout >/dev/null 2>&1; then
            timeout -k 1 5 logger -t "$TAG" -p "$1" -- "$2" &
        else
            logger -t "$TAG" -p "$1" -- "$2" &
        fi
    ) >/dev/null 2>&1
}

# refuse TEXT: the only way out for what is not allowed. The second line tells whoever holds the key which gate
# this is and what authorized_keys opens, which could be found out by trying as well.
opened=
refuse() {
    shown=$(printable "$1")
    log auth.warning "DENIED from $client: $shown"
    printf 'ERROR: Command not allowed: %s\n%s %s%s\n' "$shown" "$TAG" "$VERSION" "$opened" >&2
    exit 1
}

# --- The client's address, for the log only -----------------------------------------------------------------

client=${SSH_CONNECTION:-${SSH_CLIENT:-}}
client=${client%% *}
case $client in
'' | *[!0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:.%_-]*) client=unknown ;;
esac
case ${#client} in
? | [1-5]?) ;;
*) client=unknown ;;
esac

# --- What this key may do: our own arguments, written by the server's owner -----------------------------------

case ${1-} in
--version)
    case $# in
    1)
        printf '%s %s\n' "$TAG" "$VERSION"
        exit 0
        ;;
    esac
    ;;
esac

# A word misspelt in authorized_keys must not open more, nor silently less, than was meant: it closes the gate.
misconfigured() {
    opened=
    refuse "the gate is misconfigured in authorized_keys, everything is refused: $1"
}

granted=' '
while :; do
    case $# in 0) break ;; esac
    case $1 in
    --allow) ;;
    *) misconfigured "unknown option '$1' (known: --allow log, --allow destination, --allow switch)" ;;
    esac
    case ${2-} in
    log | destination | switch)
        granted="$granted$2 "
        opened="$opened --allow $2"
        ;;
    *) misconfigured "'--allow ${2-}' is none of log, destination, switch" ;;
    esac
    shift 2
done

# is_granted WORD
is_granted() {
    case $granted in *" $1 "*) return 0 ;; esac
    return 1
}

# --- Values ---------------------------------------------------------------------------------------------------
# Characters are listed one by one: what a range means may depend on the shell.

# is_digits TEXT: digits, at least one.
is_digits() {
    case $1 in '' | *[!0123456789]*) return 1 ;; esac
    return 0
}

# is_id TEXT: 24 hexadecimal digits.
is_id() {
    case $1 in *[!0123456789abcdefABCDEF]*) return 1 ;; esac
    case ${#1} in 24) return 0 ;; esac
    return 1
}

# is_parameter KEY VALUE: a key the grammar knows, with a value it may have.
is_parameter() {
    case $1 in
    _id | 'find[info.ID]') is_id "$2" ;;
    type)
        is_digits "$2" || return 1
        case $2 in ? | ?? | ???) return 0 ;; esac
        return 1
        ;;
    limit | skip)
        is_digits "$2" || return 1
        case $2 in ? | ?? | ??? | ???? | ????? | ??????) return 0 ;; esac
        return 1
        ;;
    'sort[created]' | 'sort[start_time]')
        # "-1" percent-encoded is %2D1.
        case $2 in 1 | -1 | %2D1) return 0 ;; esac
        return 1
        ;;
    'find[type]' | content)
        case $2 in 1) return 0 ;; esac
        return 1
        ;;
    disabled)
        case $2 in 0 | 1) return 0 ;; esac
        return 1
        ;;
    action)
        case $2 in modify) return 0 ;; esac
        return 1
        ;;
    *) return 1 ;;
    esac
}

# --- Functions ------------------------------------------------------------------------------------------------

# is_function NAME: may this key call it? Sets $required and $optional, the keys it takes.
is_function() {
    required=' '
    optional=' '
    page=' limit skip sort[created] sort[start_time] '
    case $1 in
    getInfo) ;;
    getBackupJob | runBackupJobManually | stopQueueGroup | getQueueGroup) required=' _id ' ;;
    listBackupJobs) optional=$page ;;
    listQueueGroups)
        required=' type '
        optional=$page
        ;;
    listLogs)
        required=' find[type] find[info.ID] '
        optional=$page
        ;;
    getLog)
        is_granted log || return 1
        required=' _id content '
        ;;
    getDestination)
        is_granted destination || return 1
        required=' _id '
        ;;
    listDestinations)
        is_granted destination || return 1
        optional=' limit skip '
        ;;
    manageBackupJob | manageDestination)
        is_granted switch || return 1
        required=' _id disabled action '
        ;;
    manageDestinationState)
        is_granted switch || return 1
        required=' _id disabled '
        ;;
    *) return 1 ;;
    esac
}

# has_its_parameters DATA: "key=value&key=value" with every required key and no unknown one, each once.
has_its_parameters() {
    left=$1
    missing=$required
    open=$required$optional
    while :; do
        pair=${left%%'&'*}
        case $pair in *=*) ;; *) return 1 ;; esac
        key=${pair%%=*}
        is_parameter "$key" "${pair#*=}" || return 1
        # From here on $key is one of our own words. Taken from the list, it cannot come a second time.
        case $open in
        *" $key "*) open=${open%%" $key "*}' '${open#*" $key "} ;;
        *) return 1 ;;
        esac
        case $missing in
        *" $key "*) missing=${missing%%" $key "*}' '${missing#*" $key "} ;;
        esac
        case $left in
        *'&'*) left=${left#*'&'} ;;
        *) break ;;
        esac
    done
    # Only blanks may be left of it.
    case $missing in *[!' ']*) return 1 ;; esac
    return 0
}

# --- Words ----------------------------------------------------------------------------------------------------

# take_value: moves one word, bare or in one kind of quotes, from the front of $rest into $value.
take_value() {
    case $rest in
    "'"*"'"*)
        rest=${rest#"'"}
        value=${rest%%"'"*}
        rest=${rest#*"'"}
        ;;
    '"'*'"'*)
        rest=${rest#'"'}
        value=${rest%%'"'*}
        rest=${rest#*'"'}
        ;;
    *)
        value=${rest%%' '*}
        rest=${rest#"$value"}
        ;;
    esac
    # No value is empty or has a blank or a quote in it; after it comes the next word or the end.
    case $value in '' | *[\'\"\ ]*) return 1 ;; esac
    case $rest in '' | ' '*) return 0 ;; esac
    return 1
}

# parse TEXT: sets $api_function, $data and $output ("" where not given), or fails.
parse() {
    case $1 in
    'jetbackup5api -F '*) rest=${1#'jetbackup5api -F '} ;;
    '/usr/bin/jetbackup5api -F '*) rest=${1#'/usr/bin/jetbackup5api -F '} ;;
    *) return 1 ;;
    esac
    data=
    output=
    take_value || return 1
    api_function=$value
    is_function "$api_function" || return 1

    case $rest in
    ' -D '*)
        rest=${rest#' -D '}
        take_value || return 1
        data=$value
        has_its_parameters "$data" || return 1
        ;;
    *)
        # Nothing given is right only where nothing is required.
        case $required in *[!' ']*) return 1 ;; esac
        ;;
    esac

    case $rest in
    ' -O '*)
        rest=${rest#' -O '}
        take_value || return 1
        case $value in json) output=json ;; *) return 1 ;; esac
        ;;
    esac
    case $rest in '') return 0 ;; esac
    return 1
}

# --- The decision ---------------------------------------------------------------------------------------------

text=${SSH_ORIGINAL_COMMAND-}
case $text in
'') refuse '(no command: an interactive login)' ;;
# No other byte occurs in the grammar, so none gets any further.
*[!][0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_=\&%./\'\"\ -]*) refuse "$text" ;;
esac
case $((${#text} > MAX_BYTES)) in 1) refuse "$text" ;; esac

case $text in
'echo jetbackup-remote-ok' | "echo 'jetbackup-remote-ok'" | 'echo "jetbackup-remote-ok"')
    log auth.info "ALLOWED from $client: echo jetbackup-remote-ok"
    printf 'jetbackup-remote-ok\n'
    exit 0
    ;;
esac

parse "$text" || refuse "$text"

command -v timeout >/dev/null 2>&1 || {
    log auth.warning "DENIED from $client: no \"timeout\" in $PATH; install coreutils"
    printf 'ERROR: Command not allowed: this server has no "timeout" program; install coreutils\n' >&2
    exit 1
}

set -- -F "$api_function"
shown="jetbackup5api -F $api_function"
case $data in
'') ;;
*)
    set -- "$@" -D "$data"
    shown="$shown -D '$data'"
    ;;
esac
case $output in
json)
    set -- "$@" -O json
    shown="$shown -O json"
    ;;
esac
log auth.info "ALLOWED from $client: $shown"

# An environment like cron's: whatever a client sent along ends here. The exit status is jetbackup5api's own.
exec env -i PATH="$PATH" LC_ALL=C HOME=/root USER=root LOGNAME=root SHELL=/bin/sh \
    timeout -k 2 "$LIMIT_S" "$API" "$@"
