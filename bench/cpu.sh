#!/bin/bash
# cpu.sh [LINES [ROUNDS]]: what a line of a mail server's log (mail-log.py) costs in CPU, user and
# system, of the whole process: rsyslogd alone, with mmnormalize and ten rules, and our rulebases,
# with the module by each way in and with eight jails; and fail2ban and sshguard, which are fed a
# fifth of the lines and whose commands count as well. A row is the cheapest of ROUNDS (3), as
# whatever else runs on the machine only adds; a peer's is of one. Each begins with an empty table
# and kernel, and ends when all lines are read and each ban is in the kernel's sets and in the ledger
# or database. ROWS="tcp file fail2ban" takes some.
#
# SPDX-License-Identifier: BSD-2-Clause
TEST_LIMIT=3600
# shellcheck source=bench/peers.sh
. "$(dirname "$0")/peers.sh"
LINES_FED=${1:-100000}
ROUNDS=${2:-3}
CLIENTS_IN=20 # so many lines for each client
needs module "$BANMAILCTL" jq python3 fail2ban-server fail2ban-client

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

# write_log LINES: they begin now; what is older than the table would not count.
write_log() {
    "$top_srcdir/bench/mail-log.py" "$1" --clients $(($1 / CLIENTS_IN)) \
        --stamps traditional >$WORK/bench.log
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
    rested=$(wait_for 120 has_rested "$rsyslogd_pid") || bail_out "rsyslogd does not come to rest: $rested"
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

# Ten rules that know some of the log's lines, in place of ours.
set_up_ten() {
    set_up_mmnormalize
    sed -i "s,rulebase=\"[^\"]*\",rulebase=\"$top_srcdir/bench/ten.rb\"," $WORK/share/mail.conf
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

# ---- the peers ----

# Clients that come last, of one kind each. What a peer has been told before is banned before.
last_clients() {
    attack 192.0.2.1 6
    attack_imap 192.0.2.2 6
}

# It has the last clients, or those of them that it knows anything of, and is at rest.
peer_is_done() {
    local before

    peer_has 192.0.2.1 || return
    [ "$peer" = sshguard ] || peer_has 192.0.2.2 || return
    before=$(peer_cpu_ns)
    sleep 1
    [ $(($(peer_cpu_ns) - before)) -lt 50000000 ]
}

# peer_row NAME
peer_row() {
    local lines=$((LINES_FED / 5)) before memory_before waited

    peer_start "$1"
    write_log $lines
    before=$(peer_cpu_ns) memory_before=$(peer_memory)
    { cat $WORK/bench.log; last_clients; } >>$WORK/peer.log
    waited=$(wait_for 900 peer_is_done) || bail_out "$1 has not banned all: $waited"
    costs[$1]=$((($(peer_cpu_ns) - before) / lines))
    bans[$1]=$(peer_bans)
    figure "memory.$1" $((($(peer_memory) - memory_before) * 1024 / (lines / CLIENTS_IN)))
    peer_stop
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
    if [[ $1 = alone || $1 = mmnormalize || $1 = ten ]]; then
        wait_for 120 test -s $WORK/end || bail_out "$1: not all is read"
    else
        wait_for 120 all_is_done || bail_out "$1: not all is enforced"
        bans[$1]=$(banmailctl list --json | jq '.bans | length')
    fi
    cost=$((($(cpu_ns "$rsyslogd_pid") - before) / LINES_FED))
    rsyslog_stop
}

# round NAME: the cheapest of all rounds so far in ${costs[NAME]}.
round() {
    measure "$1" "$([ "$1" = file ] && echo file || echo tcp)"
    [ -n "${costs[$1]:-}" ] && [ $cost -ge "${costs[$1]}" ] || costs[$1]=$cost
}

# ---- the table ----

# print_row NAME DESCRIPTION
print_row() {
    [ -n "${costs[$1]:-}" ] || return 0
    awk -v description="$2" -v cost="${costs[$1]}" -v bans="${bans[$1]}" \
        -v tcp="${costs[tcp]:-1}" -v fail2ban="${costs[fail2ban]:-1}" 'BEGIN {
            printf "%-42s %8.2f %10.2f %10.4f %7d\n", description, cost / 1000, cost / tcp,
                cost / fail2ban, bans
        }'
}

print_table() {
    echo "$LINES_FED lines, 30 % of them failures of $((LINES_FED / CLIENTS_IN)) clients;" \
        "the peers: a fifth of both"
    printf '%-42s %8s %10s %10s %7s\n' '' 'µs/line' ' of imptcp' 'of fail2ban' bans
    print_row alone "rsyslogd, imptcp"
    print_row ten "rsyslogd, imptcp, mmnormalize, ten rules"
    print_row mmnormalize "rsyslogd, imptcp, mmnormalize, our rules"
    print_row tcp "with the module, imptcp"
    print_row file "with the module, imfile (input-file.conf)"
    print_row eight "with eight jails, imptcp"
    print_row fail2ban "fail2ban $(fail2ban-server --version 2>&1 | sed -n '1s/^Fail2Ban v//p')"
    print_row sshguard "sshguard $(sshguard -v 2>&1 | tr -dc 0-9.)"
    awk -v all="${costs[tcp]:-0}" -v without="${costs[mmnormalize]:-0}" 'BEGIN {
        printf "beyond rsyslogd with mmnormalize: %.2f µs/line\n", (all - without) / 1000
    }'
}

# With more workers the last line could be through before others are.
echo 'main_queue(queue.workerThreads="1")' >$WORK/before.conf
declare -A costs bans
rows=${ROWS:-alone ten mmnormalize tcp file eight fail2ban sshguard}
# By turns: a machine may be slower for some minutes.
for ((i = 0; i < ROUNDS; i++)); do
    for name in $rows; do
        [[ $name = fail2ban || $name = sshguard ]] || round "$name"
    done
done
for name in $rows; do
    case $name in
        sshguard) ! command -v sshguard >/dev/null || peer_row sshguard ;;
        fail2ban) peer_row fail2ban ;;
    esac
done
print_table
for name in "${!costs[@]}"; do
    figure "cpu.$name" "${costs[$name]}"
    figure "bans.$name" "${bans[$name]}"
done
figure cpu.lines "$LINES_FED"
finished=1
exit 0
