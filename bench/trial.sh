#!/bin/bash
# trial.sh [LINES]: how long `banmailctl test` takes for a log (mail-log.py), and fail2ban-regex for
# a tenth of it, once by each of the filters that a mail server needs. Seconds of CPU a million lines.
#
# SPDX-License-Identifier: BSD-2-Clause
TEST_LIMIT=1800
# shellcheck source=bench/peers.sh
. "$(dirname "$0")/peers.sh"
needs "$BANMAILCTL" python3 fail2ban-regex
lines=${1:-500000}

# seconds COMMAND…: of CPU, user and system.
seconds() {
    local TIMEFORMAT='%U %S'

    { time "$@" >$WORK/output 2>&1; } 2>&1 | tail -n 1 | awk '{ print $1 + $2 }'
}

# row NAME LINES SECONDS
row() {
    local a_million

    a_million=$(awk -v lines="$2" -v took="$3" 'BEGIN { printf "%.2f", took * 1000000 / lines }')
    echo "$1: $a_million s of CPU a million lines"
    figure "trial.$1" "$a_million"
}

"$top_srcdir/bench/mail-log.py" "$lines" --span 86400 --start $((EPOCHSECONDS - 86400)) >$WORK/log
head -n $((lines / 10)) $WORK/log >$WORK/tenth
figure trial.bytes_a_line "$(($(stat -c %s $WORK/log) / lines))"
took=$(seconds banmailctl test --preset balanced $WORK/log)
row banmailctl "$lines" "$took"
for filter in 'postfix[mode=aggressive]' dovecot; do
    row "fail2ban-regex.${filter%[*}" $((lines / 10)) \
        "$(seconds fail2ban-regex $WORK/tenth "$filter")"
done
finished=1
exit 0
