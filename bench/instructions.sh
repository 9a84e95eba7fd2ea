#!/bin/bash
# instructions.sh [MOST]: how many instructions table_count takes in a table of 1,000,000 clients,
# as callgrind counts them, on average over 100,000 calls; IPv4 and IPv6. The status is 1 when it
# takes more than MOST (500). The build decides as well as the code: it is meant for what
# ./configure without options makes.
#
# SPDX-License-Identifier: BSD-2-Clause
set -u
most=${1:-500}
calls=100000
table=${top_builddir:-.}/bench/table
out=$(mktemp) || exit
trap 'rm -f "$out"' EXIT
status=0

for family in 4 6; do
    count=count
    [ $family = 4 ] || count=count6
    valgrind --quiet --tool=callgrind --toggle-collect=counted_calls --compress-strings=no \
        --compress-pos=no --callgrind-out-file="$out" "$table" $count $calls || exit
    each=$(awk -v calls=$calls '
        /^fn=/ { caller = $0 }
        /^cfn=/ { callee = $0 }
        is_next { printf "%d", $NF / calls }
        { is_next = caller == "fn=counted_calls" && callee == "cfn=table_count" && /^calls=/ }' "$out")
    echo "IPv$family: ${each:=0} instructions"
    [ "$each" -gt 0 ] && [ "$each" -le "$most" ] || status=1
done
exit $status
