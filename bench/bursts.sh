#!/bin/bash
# bursts.sh [CLIENTS [MANY [BANNED]]]: how long until all are in the kernel's sets when 2,000 clients
# fail five times at once, through a file, by ombanmail, fail2ban and sshguard; when 100,000 do, by
# ombanmail; and, after a start with a kernel that has nothing, until 10,000 bans are back, by
# ombanmail, and a fifth of them, by fail2ban. Seconds, from before the first line is written, or the
# daemon is started.
#
# SPDX-License-Identifier: BSD-2-Clause
TEST_LIMIT=1800
# shellcheck source=bench/peers.sh
. "$(dirname "$0")/peers.sh"
needs module "$BANMAILCTL" jq python3
clients=${1:-2000}
many=${2:-100000}
banned=${3:-10000}

# failures COUNT: five of each, as Postfix writes them, all of the first ones first. The clients are of
# many networks, as those of a botnet.
failures() {
    awk -v stamp="$(date '+%b %e %T')" -v count="$1" 'BEGIN {
        for (user = 0; user < 5; user++) for (c = 0; c < count; c++)
            printf "%s mx1 postfix/submission/smtpd[7]: warning: unknown[%d.%d.1.%d]: SASL LOGIN " \
                "authentication failed: (reason unavailable), sasl_username=u%d@example.org\n",
                stamp, 11 + c % 100, int(c / 100) % 250, int(c / 25000) + 1, user
    }'
}

# How many addresses the set has: listing is cheaper than to read JSON.
elements() {
    nft list ruleset | grep -oE '[0-9]+\.[0-9]+\.1\.[0-9]+' | sort -u | wc -l
}

has() {
    [ "$(elements)" -ge "$1" ]
}

# To list a large set takes longer than to fill it: so the table is asked, and the kernel afterwards.
all_are_enforced() {
    [ "$(banmailctl status --json | jq '.now.banned - .now.pending')" -ge "$1" ]
}

# in_seconds NAME SINCE: a figure, and a line.
in_seconds() {
    local took

    took=$(awk -v since="$2" -v now="${EPOCHREALTIME/./}" 'BEGIN { printf "%.3f", (now - since) / 1e6 }')
    echo "$1: $took s"
    figure "burst.$1" "$took"
}

# ours NAME COUNT: through imfile.
ours() {
    local since

    : >/var/log/mail.log
    rsyslog_configure "maxBanRate=\"0\" capacity=\"$(($2 * 4 + 10000))\" maxBans=\"$(($2 * 2 + 10000))\""
    cp $WORK/share/input-file.conf $WORK/inputs.conf
    rsyslog_start
    failures "$2" >$WORK/failures
    since=${EPOCHREALTIME/./}
    cat $WORK/failures >>/var/log/mail.log
    wait_for 120 all_are_enforced "$2"
    in_seconds "$1" "$since"
    has "$2" || bail_out "ombanmail: only $(elements) of $2"
}

stop_ours() {
    rsyslog_stop
    rm -rf /run/ombanmail $WORK/state
    nft flush ruleset
}

# peer_burst NAME
peer_burst() {
    local since

    peer_start "$1"
    failures "$clients" >$WORK/failures
    since=${EPOCHREALTIME/./}
    cat $WORK/failures >>$WORK/peer.log
    wait_for 600 has "$clients" || bail_out "$1: only $(elements) of $clients"
    in_seconds "$1.few" "$since"
    peer_stop
}

# What fail2ban has in its database it bans one by one when it starts.
fail2ban_restart() {
    local since count=$((banned / 5))

    peer_start fail2ban
    failures $count >>$WORK/peer.log
    wait_for 900 has $count || bail_out "fail2ban: only $(elements) of $count"
    fail2ban_client stop >/dev/null
    wait_for 60 not kill -0 "$peer_pid"
    nft flush ruleset
    : >$WORK/peer.log
    since=${EPOCHREALTIME/./}
    start_fail2ban
    wait_for 900 has $count || bail_out "fail2ban: only $(elements) of $count"
    in_seconds fail2ban.restart "$since"
    peer_stop
}

figure burst.clients "$clients"
figure burst.many_clients "$many"
figure burst.banned "$banned"
ours ombanmail.few "$clients"
stop_ours
ours ombanmail.many "$many"
stop_ours
ours ombanmail.fill "$banned"
rsyslog_stop
nft flush ruleset
since=${EPOCHREALTIME/./}
rsyslog_start
# The table says of each that the kernel has it, until it is found out that it has not.
wait_for 60 has "$banned" || bail_out "ombanmail: only $(elements) of $banned are back"
in_seconds ombanmail.restart "$since"
stop_ours
for name in fail2ban sshguard; do
    ! command -v $name-server $name >/dev/null || peer_burst $name
done
! command -v fail2ban-server >/dev/null || fail2ban_restart
finished=1
exit 0
