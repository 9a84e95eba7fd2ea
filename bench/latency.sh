#!/bin/bash
# latency.sh [CLIENTS [PEER-CLIENTS]]: line written → element in the kernel, through /dev/log
# (imuxsock), a TCP connection (imptcp) and a file (imfile), each in a world of its own; then of
# fail2ban and sshguard, by a file. See latency.c for what is measured. Prints a line for each with
# median and p99.
#
# SPDX-License-Identifier: BSD-2-Clause
TEST_LIMIT=900
# shellcheck source=bench/peers.sh
. "$(dirname "$0")/peers.sh"
LATENCY=$top_builddir/bench/latency
needs module "$LATENCY" jq

# keep NAME: what latency prints is a figure as well.
keep() {
    tee $WORK/latency
    figure "latency.$1.median" "$(sed -n 's/.*median \([0-9.]*\) ms.*/\1/p' $WORK/latency)"
    figure "latency.$1.p99" "$(sed -n 's/.*p99 \([0-9.]*\) ms.*/\1/p' $WORK/latency)"
}

: >/var/log/mail.log
rsyslog_configure
cat $WORK/share/input-file.conf $WORK/share/input-tcp.conf >$WORK/inputs.conf
echo "rsyslogd $("$RSYSLOGD" -v | sed -n '1s/^rsyslogd  *\([0-9.]*\).*/\1/p')," \
    "maxretry 5, from before the write of the fifth line to the kernel's notification"
# What is measured first must not make the table bigger for what comes later.
for target in socket:/dev/log tcp:127.0.0.1:514 file:/var/log/mail.log; do
    rsyslog_start || exit 1
    "$LATENCY" "$target" "${1:-1000}" 5 | keep "${target%%:*}"
    [ "${PIPESTATUS[0]}" = 0 ] || exit 1
    rsyslog_stop
    rm -rf /run/ombanmail $WORK/state
    nft flush ruleset
done
for name in fail2ban sshguard; do
    if command -v $name-server $name >/dev/null; then
        peer_start $name
        echo "$name, a file:"
        "$LATENCY" file:$WORK/peer.log "${2:-50}" 5 100000 | keep $name
        peer_stop
    fi
done
finished=1
exit 0
