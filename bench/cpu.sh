#!/bin/bash
# cpu.sh [LINES [ROUNDS]]: what a line of a mail server's log (mail-log.py) costs in CPU, user and
# system, of the whole process: rsyslogd alone, with mmnormalize and our rulebases, with the module
# by each way in and with eight jails, and fail2ban, which is fed a fifth of the lines and whose
# commands count as well. A row is the cheapest of ROUNDS (3), as whatever else runs on the machine
# only adds; fail2ban's is of one. Each begins with an empty table and kernel, and ends when all
# lines are read and each ban is in the kernel's sets and in the ledger or database.
#
# SPDX-License-Identifier: BSD-2-Clause
MUST_RUN=1
TEST_LIMIT=3600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../tests/lib.sh"
LINES_FED=${1:-100000}
ROUNDS=${2:-3}
CLIENTS_IN=20 # so many lines for each client
needs module "$BANMAILCTL" jq python3 fail2ban-server fail2ban-client
F=$WORK/fail2ban

# ---- what is measured ----

# cpu_ns PID: of all its threads, also those that have ended: the process's own CPU clock.
cpu_ns() {
    python3 -c "import time; print(time.clock_gettime_ns((~$1 << 3) | 2))"
}

# has_rested PID: it has used less than 20 ms in half a second.
has_rested() {
    local before

    before=$(cpu_ns "$1")
    sleep 0.5
    [ $(($(cpu_ns "$1") - before)) -lt 20000000 ]
}

# write_log LINES: the stamps begin now; what is older than the table would not count.
write_log() {
    "$top_srcdir/bench/mail-log.py" "$1" --clients $(($1 / CLIENTS_IN)) >$WORK/bench.log
}

# ---- ways in ----

feed_tcp() {
    sed 's/^/<22>/' $WORK/bench.log >$WORK/bench.tcp
    begin
    cat $WORK/bench.tcp >/dev/tcp/127.0.0.1/10514
    echo "<22>$(date '+%b %e %T') mx1 bench-end: " >/dev/tcp/127.0.0.1/10514
}

feed_file() {
    begin
    cat $WORK/bench.log >>/var/log/mail.log
}

begin() {
    rested=$(wait_for 30 has_rested "$rsyslogd_pid") || bail_out "rsyslogd does not come to rest: $rested"
    before=$(cpu_ns "$rsyslogd_pid")
}

# ---- what is set up ----

# Through imptcp to a ruleset that does what input-tcp.conf's does, and tells the end.
tcp_input() {
    cat >$WORK/inputs.conf <<CONFIGURATION
module(load="imptcp")
input(type="imptcp" port="10514" ruleset="bench")
ruleset(name="bench") {
    $1
    if \$programname == "bench-end" then { action(type="omfile" file="$WORK/end") }
}
CONFIGURATION
}

mail_only='if $syslogtag contains "postfix" or $syslogtag contains "dovecot" then { call ombanmail }'

set_up_alone() {
    tcp_input ''
    rsyslog_configure
    sed -i '/mmnormalize\|ombanmail\|mail\.conf/d' $WORK/rsyslog.conf
}

set_up_mmnormalize() {
    tcp_input "$mail_only"
    rsyslog_configure
    sed -i '/load="ombanmail"/d' $WORK/rsyslog.conf
    sed -i '/action(type="ombanmail"/d' $WORK/share/mail.conf
}

set_up_tcp() {
    tcp_input "$mail_only"
    rsyslog_configure 'maxBanRate="0"'
}

set_up_file() {
    : >/var/log/mail.log
    rsyslog_configure 'maxBanRate="0"'
    cp $WORK/share/input-file.conf $WORK/inputs.conf
}

# Seven more beside the one that mail.conf has, counting the same.
set_up_eight() {
    local jails='' i

    for i in 2 3 4 5 6 7 8; do
        jails="$jails action(type=\"ombanmail\" jail=\"mail$i\")"
    done
    tcp_input "$mail_only"
    rsyslog_configure 'maxBanRate="0" capacity="400000"'
    sed -i "s/^ *action(type=\"ombanmail\" .*/&\\n$jails/" $WORK/share/mail.conf
}

# ---- fail2ban: its own filters and nftables, its own socket and nothing else ----

set_up_fail2ban() {
    mkdir -p $F
    cp -r /etc/fail2ban/action.d /etc/fail2ban/filter.d $F/
    cat >$F/fail2ban.conf <<CONFIGURATION
[Definition]
loglevel = INFO
logtarget = $F/log
syslogsocket = auto
socket = $F/socket
pidfile = $F/pid
dbfile = $F/fail2ban.sqlite3
dbpurgeage = 1d
CONFIGURATION
    cat >$F/jail.conf <<CONFIGURATION
[DEFAULT]
backend = polling
usedns = no
maxretry = 5
findtime = 10m
bantime = 1h
logpath = $F/mail.log
logencoding = utf-8
[postfix]
enabled = true
filter = postfix[mode=aggressive]
action = nftables[type=allports, name=postfix]
[dovecot]
enabled = true
filter = dovecot
action = nftables[type=allports, name=dovecot]
CONFIGURATION
    echo "$(date '+%b %e %T') mx1 postfix/master[1]: daemon started" >$F/mail.log
    fail2ban-server -c $F -s $F/socket -p $F/pid -b start >$F/output 2>&1 &&
        wait_for 20 fail2ban-client -s $F/socket status dovecot
}

# fail2ban_cpu_ns: of the server and of the commands that it has started, in whole ticks.
fail2ban_cpu_ns() {
    awk -v hz="$(getconf CLK_TCK)" '{
        sub(/.*\) /, "")
        printf "%.0f\n", ($12 + $13 + $14 + $15) * 1000000000 / hz
    }' "/proc/$(cat $F/pid)/stat"
}

# Two clients that come last. What a jail has been told before is banned before.
last_clients() {
    attack 192.0.2.1
    attack_imap 192.0.2.2
}

fail2ban_is_done() {
    nft list ruleset | grep -q '192\.0\.2\.1[^0-9]' && nft list ruleset | grep -q '192\.0\.2\.2[^0-9]'
}

fail2ban_row() {
    local lines=$((LINES_FED / 5)) before

    nft flush ruleset
    set_up_fail2ban || bail_out "fail2ban does not start: $(cat $F/output)"
    write_log $lines
    before=$(fail2ban_cpu_ns)
    { cat $WORK/bench.log; last_clients; } >>$F/mail.log
    wait_for 900 fail2ban_is_done || bail_out "fail2ban has not banned all"
    costs[fail2ban]=$((($(fail2ban_cpu_ns) - before) / lines))
    bans[fail2ban]=$(grep -c ' Ban ' $F/log)
    fail2ban-client -s $F/socket stop >/dev/null
}

# ---- rsyslogd ----

banned_clients() {
    banmailctl list --json | jq '[.bans[].source] | unique | length'
}

# The kernel has each client, and nothing is left to do: for the ledger neither.
all_is_done() {
    local clients

    clients=$(banned_clients)
    [ "$clients" -gt 0 ] && [ "$(ban_count)" = "$clients" ] && has_rested "$rsyslogd_pid" &&
        [ "$(banned_clients)" = "$clients" ]
}

# measure NAME FEEDER: once; leaves ns for a line in $cost, and how many bans in ${bans[NAME]}.
measure() {
    rm -rf /run/ombanmail $WORK/state $WORK/spool/* $WORK/end
    nft flush ruleset
    "set_up_$1"
    rsyslog_start
    write_log "$LINES_FED"
    "feed_$2"
    bans[$1]=0
    if [[ $1 = alone || $1 = mmnormalize ]]; then
        wait_for 120 test -s $WORK/end || bail_out "$1: not all is read"
    else
        wait_for 120 all_is_done || bail_out "$1: not all is enforced"
        bans[$1]=$(banmailctl list --json | jq '.bans | length')
    fi
    cost=$((($(cpu_ns "$rsyslogd_pid") - before) / LINES_FED))
    rsyslog_stop
}

# row NAME FEEDER: the cheapest of all rounds in ${costs[NAME]}.
row() {
    local i

    for ((i = 0; i < ROUNDS; i++)); do
        measure "$@"
        [ $i -gt 0 ] && [ $cost -ge "${costs[$1]}" ] || costs[$1]=$cost
    done
}

# ---- the table ----

# print_row NAME DESCRIPTION
print_row() {
    awk -v description="$2" -v cost="${costs[$1]}" -v bans="${bans[$1]}" \
        -v tcp="${costs[tcp]}" -v fail2ban="${costs[fail2ban]}" 'BEGIN {
            printf "%-42s %8.2f %10.2f %10.4f %7d\n", description, cost / 1000, cost / tcp,
                cost / fail2ban, bans
        }'
}

print_table() {
    echo "$LINES_FED lines, 30 % of them failures of $((LINES_FED / CLIENTS_IN)) clients;" \
        "fail2ban: a fifth of both"
    printf '%-42s %8s %10s %10s %7s\n' '' 'µs/line' ' of imptcp' 'of fail2ban' bans
    print_row alone "rsyslogd, imptcp"
    print_row mmnormalize "rsyslogd, imptcp, mmnormalize"
    print_row tcp "with the module, imptcp"
    print_row file "with the module, imfile (input-file.conf)"
    print_row eight "with eight jails, imptcp"
    print_row fail2ban "fail2ban $(fail2ban-server --version 2>&1 | sed -n '1s/^Fail2Ban v//p')"
    awk -v all="${costs[tcp]}" -v without="${costs[mmnormalize]}" 'BEGIN {
        printf "beyond rsyslogd with mmnormalize: %.2f µs/line\n", (all - without) / 1000
    }'
}

# With more workers the last line could be through before others are.
echo 'main_queue(queue.workerThreads="1")' >$WORK/before.conf
declare -A costs bans
row alone tcp
row mmnormalize tcp
row tcp tcp
row file file
row eight tcp
fail2ban_row
print_table
finished=1
exit 0
