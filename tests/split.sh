# shellcheck shell=bash
# split.sh: two centres that share the clients of a fleet, centre1 and centre2, each an rsyslogd in a
# network of its own, and the clients that attack them; for tests that have sourced lib.sh. Who splits
# takes lines at port 10514.
#
# SPDX-License-Identifier: BSD-2-Clause
clients=${LONG:+100000}
clients=${clients:-2000}

make_network() {
    local number=${1#centre}

    mkdir -p /run/netns
    ip netns add "$1" && ip link add "to$1" type veth peer name eth0 netns "$1" &&
        ip addr add "10.78.$number.1/24" dev "to$1" && ip link set "to$1" up &&
        ip -n "$1" link set lo up && ip -n "$1" link set eth0 up &&
        ip -n "$1" addr add "10.78.$number.2/24" dev eth0
}

# centre_begins NAME: its configuration, but for what brings it lines. The ruleset `forwarded` takes
# those.
centre_begins() {
    local dir=$WORK/$1

    mkdir -p "$dir/run" "$dir/state" "$dir/spool"
    echo "global(workDirectory=\"$dir/spool\" localHostname=\"$1\") module(load=\"mmnormalize\")"
    echo "module(load=\"ombanmail\" runtimeDirectory=\"$dir/run\" stateDirectory=\"$dir/state\""
    echo "capacity=\"$((clients + 20000))\" maxBans=\"$((clients + 1000))\" maxretry=\"2\" maxBanRate=\"0\")"
    echo "include(file=\"$WORK/share/mail.conf\")"
    echo "if \$syslogtag startswith \"rsyslogd\" then { action(type=\"omfile\" file=\"$dir/log\") }"
}

# split_begins RULESET: the configuration of who splits, but for the shipped example, which has that
# ruleset.
split_begins() {
    echo "global(workDirectory=\"$WORK/split\") module(load=\"mmnormalize\") module(load=\"imptcp\")"
    echo "input(type=\"imptcp\" port=\"10514\" address=\"127.0.0.1\" ruleset=\"$1\")"
    echo "if \$syslogtag startswith \"rsyslogd\" then { action(type=\"omfile\" file=\"$WORK/split/log\") }"
}

# start DIRECTORY LAUNCHER…
start() {
    local dir=$WORK/$1

    shift
    "$@" "$RSYSLOGD" -n -M "$(module_path)" -f "$dir/conf" -i "$dir/pid" >>$WORK/stderr 2>&1 &
    wait_for 15 test -s "$dir/pid"
}

stop() {
    local pid

    pid=$(cat "$WORK/$1/pid")
    kill "$pid"
    wait_for 60 not kill -0 "$pid"
}

# ---- the clients ----

# lines TIME: one failure of each, the second time of the IPv6 ones from another address.
lines() {
    python3 - "$clients" "$1" <<'PYTHON'
import ipaddress, sys, time
clients, number = int(sys.argv[1]), int(sys.argv[2])
stamp = time.strftime('%b %e %H:%M:%S', time.localtime(time.time() - 1))

def postfix(i, address):
    return ('postfix/submission/smtpd[2603]: warning: unknown[%s]: SASL LOGIN authentication failed:'
            ' (reason unavailable), sasl_username=user%d@example.org' % (address, number))

def dovecot(i, address):
    forged = '>, rip=192.0.%d.9, x' % ((2 * i + number) % 250) if i % 8 >= 6 else ''
    return ('dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<user%d%s>,'
            ' method=PLAIN, rip=%s, lip=198.51.100.1, TLS, session=<s%d+%d>'
            % (number, forged, address, i, number))

for i in range(clients):
    if i % 2 == 0:
        k = i // 2
        address = '%d.%d.%d.%d' % (11 + k % 64, k // 64 % 256, k // 16384, 1 + k % 250)
    else:
        k = i // 2
        network = 0x2a00 + k % 16 << 112 | k // 16 % 61 << 96 | k // 976 << 80 | 1 + k % 3 << 64
        address = ipaddress.IPv6Address(network | (1, 5 << 48 | 7)[number])
    print('<22>%s mx1 %s' % (stamp, (postfix if i % 4 < 2 else dovecot)(i, address)))
PYTHON
}

send() {
    cat >/dev/tcp/127.0.0.1/10514
}

on() {
    banmailctl "${@:2}" --table "$WORK/$1/run/table"
}

# banned_by CENTRE: sorted.
banned_by() {
    on "$1" list --json | jq -r '.bans[].source' | sort
}

all_are_banned() {
    [ $(($(banned_by centre1 | wc -l) + $(banned_by centre2 | wc -l))) -ge "$clients" ]
}

# has_share CENTRE: a third at least.
has_share() {
    banned_by "$1" | wc -l
    [ "$(banned_by "$1" | wc -l)" -ge $((clients / 3)) ]
}

has_fault() {
    grep -q 'Temporary failure' "$WORK/$1/dovecot"
}

# ---- what is to hold ----

# check_shares: each client fails twice, both lines come to one centre, and none to the other one.
check_shares() {
    lines 0 | send
    lines 1 | send
    check "each client is banned" wait_for $((TEST_LIMIT / 2)) all_are_banned
    banned_by centre1 >$WORK/first
    banned_by centre2 >$WORK/second
    check "no client is banned at two centres" equal 0 eval 'comm -12 $WORK/first $WORK/second | wc -l'
    check "each client is banned at one centre" equal "$clients" eval 'sort -u $WORK/first $WORK/second | wc -l'
    check "the first centre has its share" has_share centre1
    check "the second centre has its share" has_share centre2
}

# check_fault: a line without a client comes to both centres.
check_fault() {
    local stamp centre

    printf -v stamp '%(%b %e %H:%M:%S)T' -1
    echo "<22>$stamp mx1 dovecot: auth: Error: sql: Temporary failure" | send
    for centre in centre1 centre2; do
        check "a line without a client comes to $centre" wait_for 20 has_fault $centre
    done
}
