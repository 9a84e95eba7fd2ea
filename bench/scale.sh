#!/bin/bash
# scale.sh [ROUNDS]: what a count costs with 10,000 and 1,000,000 clients, by one thread and by two
# (table.c); the quickest of ROUNDS (3), as whatever else runs on the machine only adds.
#
# SPDX-License-Identifier: BSD-2-Clause
set -u
table=${top_builddir:-.}/bench/table
best=$(for ((i = 0; i < ${1:-3}; i++)); do "$table"; done |
    awk '$1 == "table_count" { name = $2 "." $3; if (!(name in ns) || $4 < ns[name]) ns[name] = $4 }
        END { for (name in ns) print "scale." name "\t" ns[name] }' | sort)
echo "ns a count by threads and clients:"
echo "$best"
[ -z "${RESULTS:-}" ] || echo "$best" >>"$RESULTS/figures"
