#!/bin/bash
# instructions.sh: what the parts of the hot path cost in instructions, as callgrind counts them, on
# average: table_count in a table of $TABLE_CLIENTS (1,000,000) clients, IPv4 and IPv6; and
# counter_take, the whole deciding path, for a line without a class, for a failure, for one whose user
# is no mailbox, and for one that eight jails count. The status is 1 when one takes more than stands
# behind it. Then, unless OURS_ALONE is set, what liblognorm needs for a line, with our rulebases and
# with ten rules. The build decides as well as the code: it is meant for what ./configure without
# options makes.
#
# SPDX-License-Identifier: BSD-2-Clause
set -u
calls=${CALLS:-20000} # more ban everybody, and measure bans
clients=${TABLE_CLIENTS:-1000000}
bench=${top_builddir:-.}/bench
out=$(mktemp) || exit
trap 'rm -f "$out"' EXIT
status=0

# instructions CALLER FUNCTION PROGRAM ARGUMENT…: of one call of the function by the caller.
instructions() {
    local caller=$1 function=$2

    shift 2
    valgrind --quiet --tool=callgrind --toggle-collect="$caller" --compress-strings=no \
        --compress-pos=no --callgrind-out-file="$out" "$@" || return
    awk -v calls="$calls" -v caller="fn=$caller" -v callee="cfn=$function" '
        /^fn=/ { in_caller = $0 == caller }
        /^cfn=/ { is_callee = $0 == callee }
        is_next { sum += $NF }
        { is_next = in_caller && is_callee && /^calls=/ }
        END { printf "%d", sum / calls }' "$out"
}

# at_most MOST DESCRIPTION NUMBER: also a figure for report.py.
at_most() {
    [ -z "${RESULTS:-}" ] || printf 'instructions.%s\t%s\n' "$2" "${3:-0}" >>"$RESULTS/figures"
    echo "$2: ${3:-0} instructions, at most $1"
    [ "${3:-0}" -gt 0 ] && [ "$3" -le "$1" ] || status=1
}

at_most 590 "a count, IPv4" \
    "$(instructions counted_calls table_count "$bench/table" count "$calls" "$clients")"
at_most 590 "a count, IPv6" \
    "$(instructions counted_calls table_count "$bench/table" count6 "$calls" "$clients")"
at_most 380 "a line without a class" \
    "$(instructions counted_lines counter_take "$bench/counter" none "$calls")"
at_most 7450 "a failure" "$(instructions counted_lines counter_take "$bench/counter" failure "$calls" 1)"
at_most 7860 "a failure at a name that is shortened" \
    "$(instructions counted_lines counter_take "$bench/counter" guess "$calls" 1)"
at_most 13950 "a failure, eight jails" \
    "$(instructions counted_lines counter_take "$bench/counter" failure "$calls" 8)"
[ -z "${OURS_ALONE:-}" ] || exit $status

# normalized NAME ARGUMENT…: of ln_normalize, a line of mail-log.py's, by banmailctl test.
normalized() {
    local name=$1 all

    shift
    all=$(valgrind --tool=callgrind --toggle-collect=ln_normalize --callgrind-out-file="$out" \
        "${top_builddir:-.}/tools/banmailctl" test --preset balanced "$@" "$log" 2>&1 |
        sed -n 's/.*Collected : //p')
    echo "liblognorm, a line, $name: $((all / 2000)) instructions"
    [ -z "${RESULTS:-}" ] || printf 'normalize.%s\t%s\n' "$name" $((all / 2000)) >>"$RESULTS/figures"
}

here=$(cd "$(dirname "$0")" && pwd)
log=$(mktemp)
"$here/mail-log.py" 2000 >"$log"
normalized ours
normalized ten --rulebase "$here/ten.rb"
rm "$log"
exit $status
