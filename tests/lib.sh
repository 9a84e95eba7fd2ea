# shellcheck shell=bash
# lib.sh: a world of its own for each test, and the words to act in it.
#
# A test sources this file first. It then starts itself anew in private mount, network, process,
# IPC and UTS namespaces: /run and /dev are new, /etc, /tmp, /usr and /var are overlays over the
# machine's (read what is there, write without effect), the rest is read-only, the network is a
# loopback, and process 1 is the test. When the test ends, however it ends, the kernel takes down
# everything that it started, mounted or configured: there is nothing left to clean, so nothing can
# be forgotten. That is also why tests may run in parallel.
#
#   #!/bin/bash
#   # What it proves. What would make it fail.
#   . "$(dirname "$0")/lib.sh"
#   needs module
#   rsyslog_configure 'maxretry="3"'
#   rsyslog_start
#   attack 203.0.113.9 | log
#   check "the client is banned" wait_for 5 banned 203.0.113.9
#   finish
#
# SPDX-License-Identifier: BSD-2-Clause

set -u
LC_ALL=C
TZ=UTC
export LC_ALL TZ

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top_srcdir=$(cd "${top_srcdir:-$TESTS/..}" && pwd)
top_builddir=$(cd "${top_builddir:-$top_srcdir}" && pwd)
export top_srcdir top_builddir
: "${MODULE:=$top_builddir/plugins/ombanmail/.libs/ombanmail.so}"
BANMAILCTL=$top_builddir/tools/banmailctl
HELPERS=${HELPERS:-$top_builddir/tests/helpers}
WORK=/run/world # all files of a test, in its own /run
# The distribution's own programs before those that somebody has put in front of them.
PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin:$PATH

# ---- the world ----

# MUST_RUN, when set, makes what cannot run an error.
skip_all() {
    if [ -n "${MUST_RUN:-}" ]; then
        echo "It cannot run here: $*" >&2
        finished=1
        exit 1
    fi
    echo "1..0 # SKIP $*"
    finished=1
    exit 0
}

# How long a whole test may take, in seconds, before all of it is killed.
: "${TEST_LIMIT:=300}"

# tests/races has the same tests run with an rsyslogd that is watched and so many times slower,
# whose main queue has so many workers; it takes reports in a directory of the machine's.
: "${PATIENCE:=1}" "${WORKERS:=}" "${REPORTS:=}"

enter_world() {
    local namespaces=(--mount --net --pid --ipc --uts --fork --kill-child --mount-proc)

    case $top_srcdir/ in
        /run/* | /dev/*) skip_all "the source lies below /run or /dev, which are made new here" ;;
    esac
    [ $EUID = 0 ] || skip_all "not root: network namespaces and nftables need it"
    unshare "${namespaces[@]}" true 2>/dev/null ||
        skip_all "this machine allows no private namespaces (unshare ${namespaces[*]})"
    # unshare dies with timeout, and the world with unshare.
    OMBANMAIL_WORLD=1 exec timeout --foreground --signal=KILL $((TEST_LIMIT * PATIENCE)) \
        setpriv --pdeathsig KILL \
        unshare "${namespaces[@]}" bash "$(cd "$(dirname "$0")" && pwd)/${0##*/}" "$@"
}

# New /run and /dev, overlays over what daemons write to. /dev is new because syslog(3) speaks to
# /dev/log only, and that name is the machine's. Most of what a world costs are the programs that
# are started for it, so one mounts all that it can.
build_world() {
    local name

    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p $WORK/{spool,reports,dev/{pts,shm},upper,work/{etc,tmp,usr,var}} /run/lock
    [ -z "$REPORTS" ] || mount --bind "$REPORTS" $WORK/reports
    for name in null zero full random urandom tty; do
        : >$WORK/dev/$name
    done
    cp -d /dev/{fd,stdin,stdout,stderr} $WORK/dev
    # what is written lands in directories with the owner and mode of the machine's
    tar -cC / --no-recursion etc tmp usr var | tar -xpC $WORK/upper
    world_mounts >$WORK/fstab
    mount -a -T $WORK/fstab ||
        skip_all "this machine does not allow the mounts of a world of its own"
    mount --rbind $WORK/dev /dev
    # All the rest is only to be looked at. (In a chroot / may be no mount of its own.)
    mount -o remount,bind,ro / 2>/dev/null || true
    ip link set lo up
    cd / || exit 99
}

# As fstab(5). An overlay is named by the time, as mount leaves out what it takes for mounted
# already: a world may be in another one.
world_mounts() {
    local name

    for name in null zero full random urandom tty pts; do
        echo "/dev/$name $WORK/dev/$name none bind"
    done
    echo "tmpfs $WORK/dev/shm tmpfs mode=1777"
    for name in etc tmp usr var; do
        echo "world-$EPOCHREALTIME /$name overlay" \
            "lowerdir=/$name,upperdir=$WORK/upper/$name,workdir=$WORK/work/$name"
    done
}

# ---- TAP ----

exec {terminal}>&1 # also within check, whose commands print into a file
CHECK_OUTPUT=$WORK/check.out
# shellcheck source=tests/check.sh
. "$TESTS/check.sh"

check_failed() {
    rsyslogd_messages
}

not() {
    ! "$@"
}

# none_of FILE…: not one of them is there. (ls fails as soon as one is missing.)
none_of() {
    [ -z "$(ls -d "$@" 2>/dev/null | tee /dev/stderr)" ]
}

# equal EXPECTED COMMAND…: the command prints exactly that.
equal() {
    local expected=$1 got

    shift
    got=$("$@") || return
    [ "$got" = "$expected" ] || {
        echo "expected: $expected"
        echo "got:      $got"
        return 1
    }
}

finish() {
    # One that is watched is watched to its end.
    if [ -n "$REPORTS" ]; then
        ! kill -0 "${rsyslogd_pid:-none}" 2>/dev/null || rsyslog_stop
        cat $WORK/stderr $WORK/rsyslogd.log >$WORK/reports/said 2>/dev/null
    fi
    echo "1..$tests_run"
    finished=1
    exit $((tests_failed > 0))
}

at_exit() {
    local status=$?

    [ -n "${finished:-}" ] && exit $status
    # What ended early has no plan and so fails; what it died of is worth seeing.
    rsyslogd_messages
    exit $((status ? status : 99))
}

# wait_for SECONDS COMMAND…: polls until the command succeeds, in steps that grow from a fiftieth to a
# fifth of a second: most of what is waited for is there at once, and the rest must not be kept from
# the processors by those who wait for it.
wait_for() {
    local end=$((${EPOCHREALTIME/./} + $1 * PATIENCE * 1000000)) step=20 # milliseconds

    shift
    until "$@" >/dev/null 2>&1; do
        [ "${EPOCHREALTIME/./}" -lt "$end" ] || {
            echo "in vain waited for: $*"
            return 1
        }
        pause $step
        step=$((step < 160 ? step * 5 / 4 : 200))
    done
}

# pause MILLISECONDS: what sleep does, without a process.
exec {silence}<> <(:)
pause() {
    local seconds

    printf -v seconds '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
    read -rt "$seconds" -u "$silence" || true
}

# ---- what must be there ----

# needs module PROGRAM…: skips all, aloud, when something is missing.
needs() {
    local what

    for what; do
        if [ "$what" = module ]; then
            [ -f "$MODULE" ] || skip_all "not built: $MODULE"
            command -v rsyslogd >/dev/null || skip_all "rsyslogd is not installed"
            command -v nft >/dev/null || skip_all "nft is not installed"
            nft list ruleset >/dev/null 2>&1 || skip_all "the kernel has no nf_tables"
        elif [[ $what = /* ]]; then
            [ -e "$what" ] || skip_all "missing: $what"
        else
            command -v "$what" >/dev/null || skip_all "$what is not installed"
        fi
    done
}

# ---- rsyslogd ----

# Where rsyslogd looks for modules: the distribution's directory, then ours.
module_path() {
    local directory

    for directory in /usr/lib/*/rsyslog /usr/lib64/rsyslog /usr/lib/rsyslog; do
        [ ! -f "$directory/imuxsock.so" ] || break
    done
    echo "$directory:${MODULE%/*}:$top_builddir/plugins/imbanmail/.libs"
}

# The shipped configuration files and rulebases, as `make install` would lay them, in $WORK/share:
# anew each time, whatever a test has done to them.
share() {
    [ -d $WORK/shipped ] || lay_shipped
    cp -rT $WORK/shipped $WORK/share
}

lay_shipped() {
    local file text name

    mkdir $WORK/shipped
    cp "$top_srcdir"/rulebases/*.rb $WORK/shipped
    cp "$top_builddir"/rulebases/{dovecot-ripfirst,*-file}.rb $WORK/shipped
    for file in "$top_srcdir"/conf/*.conf{,.in}; do
        name=${file##*/}
        IFS= read -rd '' text <"$file"
        printf %s "${text//@pkgdatadir@/$WORK/share}" >"$WORK/shipped/${name%.in}"
    done
    for file in mail input-file; do
        IFS= read -rd '' text <$WORK/shipped/$file.conf
        text=${text//\/dovecot.rb/\/dovecot-ripfirst.rb}
        text=${text//\/dovecot-file.rb/\/dovecot-ripfirst-file.rb}
        printf %s "$text" >$WORK/shipped/$file-ripfirst.conf
    done
}

# The main queue for $WORKERS, where a test asks for none of its own: few messages are enough for
# all of them to work, and each takes few.
workers() {
    [ -z "$WORKERS" ] || grep -q '^main_queue' $WORK/before.conf ||
        echo "main_queue(queue.type=\"LinkedList\" queue.workerThreads=\"$WORKERS\"" \
            'queue.workerThreadMinimumMessages="2" queue.dequeueBatchSize="4")'
}

# rsyslog_configure [MODULE-PARAMETERS]: writes $WORK/rsyslog.conf. In this order: what a test wrote
# into $WORK/before.conf; /dev/log and what it wrote into $WORK/inputs.conf; rsyslogd's own messages
# go to $WORK/rsyslogd.log; the shipped mail.conf; what a test wrote into $WORK/after.conf.
# One jail, `mail`, counts, unless the parameters ask for a preset or for a file of jails.
# The table is a fifth of what it is by default, as it is most of what starting costs; but not where
# the parameters say how big it is, or have any number of bans a minute.
has_socket=yes # no: /dev/log is not read, somebody else has it
rsyslog_configure() {
    local socket="module(load=\"imuxsock\")" jail='maxretry="5"' size='capacity="20000" maxBans="10000"'

    [[ ${1:-} != *@(maxretry|preset|jails)=* ]] || jail=
    [[ ${1:-} != *@(capacity|maxBans|maxBanRate)=* ]] || size=

    share
    [ $has_socket = yes ] || socket=
    : >>$WORK/before.conf
    : >>$WORK/inputs.conf
    : >>$WORK/after.conf
    cat >$WORK/rsyslog.conf <<END_OF_CONFIGURATION
include(file="$WORK/before.conf")
$(workers)
global(workDirectory="$WORK/spool")
$socket
module(load="mmnormalize")
module(load="ombanmail" stateDirectory="$WORK/state" $size $jail ${1:-})
include(file="$WORK/inputs.conf")
if \$syslogtag startswith "rsyslogd" then {
    action(type="omfile" file="$WORK/rsyslogd.log")
}
include(file="$WORK/share/mail.conf")
if \$syslogtag startswith "rsyslogd" then {
    stop
}
include(file="$WORK/after.conf")
END_OF_CONFIGURATION
}

# rsyslogd_run ARGUMENTS…: rsyslogd as installed, with our module in its path; $RSYSLOGD and
# $LAUNCHER (words put in front) replace parts of that.
LAUNCHER=()
: "${RSYSLOGD:=rsyslogd}"
rsyslogd_run() {
    "${LAUNCHER[@]}" "$RSYSLOGD" -M "$(module_path)" -f "${RSYSLOG_CONF:-$WORK/rsyslog.conf}" \
        -i $WORK/rsyslogd.pid "$@"
}

# Starts it and waits until it takes messages.
rsyslog_start() {
    local socket=/dev/log

    [ $has_socket = yes ] || socket=
    rm -f $WORK/rsyslogd.pid $socket
    rsyslogd_run -n "$@" >>$WORK/stderr 2>&1 &
    rsyslogd_child=$!
    rsyslogd_pid=$!
    wait_for 15 rsyslog_ready || bail_out "rsyslogd does not start"
    # It starts with an empty configuration where its own is wrong: nothing can come of that.
    not said "could not interpret master config file" || bail_out "the configuration is wrong"
    # Behind a launcher the daemon may be a child of the one that was started.
    rsyslogd_pid=$(<$WORK/rsyslogd.pid)
}

# Ready, or gone.
rsyslog_ready() {
    kill -0 "$rsyslogd_pid" 2>/dev/null || bail_out "rsyslogd has ended"
    [ -s $WORK/rsyslogd.pid ] && { [ $has_socket = no ] || [ -S /dev/log ]; }
}

bail_out() {
    echo "Bail out! $*"
    rsyslogd_messages
    finished=1
    exit 99
} >&"$terminal"

rsyslogd_messages() {
    tail -q -n 8 $WORK/stderr $WORK/rsyslogd.log 2>/dev/null | cut -c 1-240 | sed 's/^/#   log: /'
}

# rsyslog_stop [SIGNAL]
rsyslog_stop() {
    kill "-${1:-TERM}" "$rsyslogd_pid"
    wait_for 20 not kill -0 "$rsyslogd_pid"
    wait "$rsyslogd_child" 2>/dev/null
    return 0
}

# Holds all its threads where they are, until `kill -CONT`.
rsyslog_freeze() {
    kill -STOP "$rsyslogd_pid"
    wait_for 5 stands_still
}

stands_still() {
    [ -z "$(grep -L '^State:.*stopped' /proc/"$rsyslogd_pid"/task/*/status)" ]
}

# ---- lines ----

# attack ADDRESS [COUNT [OFFSET]]: what Postfix writes when a client guesses COUNT (5) passwords,
# each for another user, as traditional lines without priority.
attack() {
    local address=$1 count=${2:-5} offset=${3:-0} i stamp

    printf -v stamp '%(%b %e %H:%M:%S)T' -1
    for ((i = offset; i < offset + count; i++)); do
        echo "$stamp mx1 postfix/submission/smtpd[2603]: warning: unknown[$address]:" \
            "SASL LOGIN authentication failed: (reason unavailable), sasl_username=user$i@example.org"
    done
}

# Dovecot's, likewise.
attack_imap() {
    local address=$1 count=${2:-5} offset=${3:-0} i stamp session

    printf -v stamp '%(%b %e %H:%M:%S)T' -1
    for ((i = offset; i < offset + count; i++)); do
        print_session session "$address" $i
        echo "$stamp mx1 dovecot: imap-login: Disconnected: Connection closed (auth failed," \
            "1 attempts in 2 secs): user=<user$i@example.org>, method=PLAIN, rip=$address," \
            "lip=198.51.100.1, TLS: Connection closed, session=<$session>"
    done
}

# Dovecot's session id: base64 (RFC 4648) of six bytes of time, the port, and the address as it is in
# memory. These three print into the variable that is named first: a process for each costs more.
print_session() {
    local digits=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/ hex address i three text=

    print_hex address "$2"
    printf -v hex '%012x%04x%s' $((RANDOM * 65536 + $3)) $((1024 + $3)) "$address"
    for ((i = 0; i < ${#hex}; i += 6)); do # whole threes of bytes, for both families
        three=$((16#${hex:i:6}))
        text+=${digits:three >> 18:1}${digits:three >> 12 & 63:1}
        text+=${digits:three >> 6 & 63:1}${digits:three & 63:1}
    done
    printf -v "$1" %s "$text"
}

# An address in hexadecimal digits: 8 or 32.
print_hex() {
    local left=${2%%::*} right=${2##*::} group head='' tail='' zeros

    if [[ $2 = *.* ]]; then
        # shellcheck disable=SC2086 # four words
        printf -v "$1" '%02x' ${2//./ }
        return
    fi
    [[ $2 = *::* ]] || right=
    for group in ${left//:/ }; do printf -v head '%s%04x' "$head" "0x$group"; done
    for group in ${right//:/ }; do printf -v tail '%s%04x' "$tail" "0x$group"; done
    printf -v zeros '%*s' $((32 - ${#head} - ${#tail})) ''
    printf -v "$1" %s "$head${zeros// /0}$tail"
}

print_prefix64() {
    local digits

    print_hex digits "${2%/*}"
    printf -v "$1" %s "${digits:0:4}:${digits:4:4}:${digits:8:4}:${digits:12:4}::"
}

# Feeds traditional lines from standard input to /dev/log, as syslog(3) would send them: without
# the host name.
log() {
    "$HELPERS/send-lines" /dev/log
}

# log_tcp PORT: the same over TCP, with priority and host name.
log_tcp() {
    sed 's/^/<22>/' >"/dev/tcp/127.0.0.1/$1"
}

# ---- what the kernel has ----

# The set of ours that holds an address, and the element: IPv4 by address, IPv6 by /64.
element() {
    local prefix

    if [[ $1 = *.* ]]; then
        element=(v4 "{ $1 }")
    else
        print_prefix64 prefix "$1"
        element=(v6_64 "{ $prefix }")
    fi
}

# banned ADDRESS: the kernel's set holds it, with a timeout; IPv6 also by itself, as neighbours of
# an allow-listed address are banned.
banned() {
    local element

    element "$1"
    set_holds "${element[@]}" || { [[ $1 = *:* ]] && set_holds v6 "{ $1 }"; }
}

# set_holds SET ELEMENT: with a timeout.
set_holds() {
    local said

    ask_nft said "get element inet ombanmail $1 $2" && [[ $said = *timeout* ]]
}

# set_holds_in NAMESPACE SET ELEMENT: likewise, in a network namespace.
set_holds_in() {
    local said

    ask_nft said "get element inet ombanmail $2 $3" "$1" && [[ $said = *timeout* ]]
}

# ask_nft VARIABLE COMMAND [NAMESPACE]: prints into the variable what nft prints, its lines joined by
# blanks. For `get`: what `list` shows may be what was asked for before. One process in each network
# namespace answers the whole test; but not what a subshell asks, as several of them may ask at once.
# Where it is not built, as for the demonstration, nft answers.
declare -A nft_asked=() nft_answers=()
ask_nft() {
    local there=${3:-here} status text

    if [ $BASHPID != $$ ] || [ ! -x "$HELPERS/ask-nft" ]; then
        text=$(${3:+ip netns exec "$3"} nft "$2")
        status=$?
    else
        [ -n "${nft_asked[$there]:-}" ] || start_asking_nft "$@"
        echo "$2" >&"${nft_asked[$there]}"
        read -rt 60 -u "${nft_answers[$there]}" status text || bail_out "ask-nft does not answer"
        [[ $status = [01] ]] || bail_out "ask-nft cannot start: $status $text"
        [[ $status = 0 || $text = *"No such file or directory"* ]] || echo "$text"
    fi
    printf -v "$1" %s "$text"
    return "$status"
}

# No child of this shell, which would wait for it.
start_asking_nft() {
    local asked answers

    exec {asked}<> <(:) {answers}<> <(:)
    nft_asked[${3:-here}]=$asked nft_answers[${3:-here}]=$answers
    (${3:+ip netns exec "$3"} "$HELPERS/ask-nft" <&"$asked" >&"$answers" 2>&1 || echo "ended" >&"$answers" &)
}

# How many bans the sets hold: each has an element that is none.
ban_count() {
    nft -j list table inet ombanmail | tr '{' '\n' | grep '"val"' | grep -vc 'no ban'
}

# seconds_left ADDRESS: of its element, whole; nft prints them as 1d2h3m4s5ms.
seconds_left() {
    local element text

    element "$1"
    text=$(nft get element inet ombanmail "${element[@]}" |
        sed -n 's/.* expires \([0-9dhms]*\).*/\1/p' |
        sed 's/[0-9]*ms$//; s/d/*86400+/; s/h/*3600+/; s/m/*60+/; s/s/+/')
    [ -n "$text" ] && echo $((${text}0))
}

# ---- what packets do ----

# make_outside ADDRESS…: a host beside this one, 198.51.100.2, the network namespace "outside", that
# has these addresses too.
make_outside() {
    local address

    mkdir -p /run/netns
    ip netns add outside
    ip link add out type veth peer name eth0 netns outside
    ip addr add 198.51.100.1/24 dev out
    ip -6 addr add 2001:db8:100::1/64 dev out nodad
    ip link set out up
    ip -n outside link set lo up
    ip -n outside link set eth0 up
    ip -n outside addr add 198.51.100.2/24 dev eth0
    ip -n outside -6 addr add 2001:db8:100::2/64 dev eth0 nodad
    ip -n outside route add default via 198.51.100.1
    ip -n outside -6 route add default via 2001:db8:100::1
    for address; do
        if [[ $address = *:* ]]; then
            ip -n outside -6 addr add "$address/128" dev lo nodad
            ip -6 route add "$address/128" via 2001:db8:100::2
        else
            ip -n outside addr add "$address/32" dev lo
            ip route add "$address/32" via 198.51.100.2
        fi
    done
}

# greet PORT…: whoever connects there is greeted, over both families.
greet() {
    local port

    for port; do
        socat "TCP6-LISTEN:$port,fork,reuseaddr,ipv6only=0,backlog=64" 'SYSTEM:echo 220 hello' \
            2>/dev/null &
    done
}

# greeted ADDRESS PORT: whoever connects from that address of outside.
greeted() {
    local from=$1 to=198.51.100.1

    [[ $from != *:* ]] || from="[$from]" to="[2001:db8:100::1]"
    ip netns exec outside timeout 1 socat -T 1 -u "TCP:$to:$2,bind=$from,connect-timeout=0.5" \
        STDOUT 2>/dev/null | grep -q '220 hello'
}

# besiege ADDRESS: a client there tries to connect to port 25 every five milliseconds, until
# siege_was_in_vain, which fails when it got in.
besiege() {
    rm -f $WORK/besieging.tries
    touch $WORK/besieging
    ip netns exec outside python3 - "$1" $WORK/besieging >$WORK/besieged <<'END' &
import os, select, socket, sys, time
pending, tried, entered = [], 0, 0
tries = open(sys.argv[2] + ".tries", "w", buffering=1, newline="\n")
while os.path.exists(sys.argv[2]):
    client = socket.socket()
    client.setblocking(False)
    client.bind((sys.argv[1], 0))
    client.connect_ex(("198.51.100.1", 25))
    pending.append(client)
    tried += 1
    print("tried", file=tries)
    time.sleep(0.005)
    for client in select.select([], pending, [], 0)[1]:
        entered += client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        pending.remove(client)
    del pending[:-200]
print(tried, entered)
END
    besieger=$!
}

siege_was_in_vain() {
    local tried entered

    wait_for 60 has_besieged || return
    rm $WORK/besieging
    wait $besieger
    read -r tried entered <$WORK/besieged
    echo "it tried $tried times and got in $entered times"
    [ "$tried" -gt 100 ] && [ "$entered" = 0 ]
}

# It has tried often enough, however quick the siege was for.
has_besieged() {
    [ "$(wc -l <$WORK/besieging.tries)" -gt 100 ]
}

# barrier [FEEDER…]: returns when everything that was fed the same way before is processed and
# enforced: a client of its own attacks, and lines of one input keep their order.
barriers=0
barrier() {
    local address=198.18.7.$((++barriers))

    [ $# -gt 0 ] || set -- log
    attack $address 16 | "$@"
    wait_for 10 banned $address
}

# said TEXT: rsyslogd's own messages contain it.
said() {
    local file text

    for file in $WORK/rsyslogd.log $WORK/stderr; do
        [ -s $file ] || continue
        while IFS= read -rd '' text || [ -n "$text" ]; do # NUL in it is no end
            [[ $text != *"$1"* ]] || return 0
        done <$file
    done
    return 1
}

banmailctl() {
    "$BANMAILCTL" "$@"
}

# ---- begin ----

if [ -z "${OMBANMAIL_WORLD:-}" ]; then
    enter_world "$@"
fi
unset OMBANMAIL_WORLD
trap at_exit EXIT
trap 'exit 130' INT TERM
build_world
