# shellcheck shell=bash
# tap.sh: TAP for tests that need no world of their own (those that do: lib.sh).
#
# check and skip: see check.sh. A test ends with `finish`. $SCRATCH is a directory of its own.
#
# SPDX-License-Identifier: BSD-2-Clause

set -u
export LC_ALL=C
top_srcdir=$(cd "${top_srcdir:-$(dirname "$0")/..}" && pwd)
top_builddir=$(cd "${top_builddir:-$top_srcdir}" && pwd)
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/ombanmail-test.XXXXXX") || exit 99
trap 'chmod -R u+w "$SCRATCH"; rm -rf "$SCRATCH"' EXIT
trap 'exit 99' HUP INT TERM

exec </dev/null # no program waits for a terminal

CHECK_OUTPUT=$SCRATCH/check.out
# shellcheck source=tests/check.sh
. "$top_srcdir/tests/check.sh"

finish() {
    echo "1..$tests_run"
    exit $((tests_failed > 0))
}
