# shellcheck shell=bash
# tap.sh: TAP for tests that need no world of their own (those that do: lib.sh).
#
#   check "description" COMMAND…     the command's output is shown when it fails
#   skip "what, and why"
#   finish
#
# $SCRATCH is a directory of the test's own.
#
# SPDX-License-Identifier: BSD-2-Clause

set -u
export LC_ALL=C
top_srcdir=$(cd "${top_srcdir:-$(dirname "$0")/..}" && pwd)
top_builddir=$(cd "${top_builddir:-$top_srcdir}" && pwd)
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/ombanmail-test.XXXXXX") || exit 99
trap 'chmod -R u+w "$SCRATCH"; rm -rf "$SCRATCH"' EXIT
trap 'exit 99' HUP INT TERM

tests_run=0
tests_failed=0

check() {
    local description=$1

    shift
    tests_run=$((tests_run + 1))
    if "$@" >"$SCRATCH/check.out" 2>&1 </dev/null; then
        echo "ok $tests_run - $description"
    else
        tests_failed=$((tests_failed + 1))
        echo "not ok $tests_run - $description"
        tail -n 30 "$SCRATCH/check.out" | sed 's/^/#   /'
    fi
}

skip() {
    tests_run=$((tests_run + 1))
    echo "ok $tests_run # SKIP $*"
}

finish() {
    echo "1..$tests_run"
    exit $((tests_failed > 0))
}
