#!/bin/bash
# latency.sh [CLIENTS]: line written → element in the kernel, through /dev/log (imuxsock), a TCP
# connection (imptcp) and a file (imfile), each in a world of its own; see latency.c for what is
# measured. Prints a line for each with median and p99.
#
# SPDX-License-Identifier: BSD-2-Clause
MUST_RUN=1
TEST_LIMIT=600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../tests/lib.sh"
LATENCY=$top_builddir/bench/latency
needs module "$LATENCY"

: >/var/log/mail.log
rsyslog_configure
cat $WORK/share/input-file.conf $WORK/share/input-tcp.conf >$WORK/inputs.conf
echo "rsyslogd $("$RSYSLOGD" -v | sed -n '1s/^rsyslogd  *\([0-9.]*\).*/\1/p')," \
    "maxretry 5, from before the write of the fifth line to the kernel's notification"
# What is measured first must not make the table bigger for what comes later.
for target in socket:/dev/log tcp:127.0.0.1:514 file:/var/log/mail.log; do
    rsyslog_start || exit 1
    "$LATENCY" "$target" "${1:-1000}" 5 || exit 1
    rsyslog_stop
    rm -rf /run/ombanmail $WORK/state
    nft flush ruleset
done
finished=1
exit 0
