# shellcheck shell=bash
# check.sh: TAP for all test scripts; tap.sh and lib.sh source it, a test one of these.
#
#   check DESCRIPTION COMMAND…   succeeds as the command does; when it fails, its output is shown, and
#                                which line of the test it was
#   skip WHAT AND WHY
#
# Who sources it sets $CHECK_OUTPUT, a file, and may define check_failed, which says more.
#
# SPDX-License-Identifier: BSD-2-Clause
tests_run=0
tests_failed=0

ok() {
    tests_run=$((tests_run + 1))
    echo "ok $tests_run - $*"
}

not_ok() {
    tests_run=$((tests_run + 1))
    tests_failed=$((tests_failed + 1))
    echo "not ok $tests_run - $*"
}

# The outermost call stands in the test itself.
where() {
    local depth=$((${#BASH_SOURCE[@]} - 1))

    echo "${BASH_SOURCE[$depth]##*/}:${BASH_LINENO[$((depth - 1))]}"
}

check() {
    local description=$1

    shift
    if "$@" >"$CHECK_OUTPUT" 2>&1; then
        ok "$description"
        return
    fi
    not_ok "$description"
    echo "# failed at $(where): $*"
    tail -n 30 "$CHECK_OUTPUT" | sed 's/^/#   /'
    check_failed
}

check_failed() {
    :
}

skip() {
    tests_run=$((tests_run + 1))
    echo "ok $tests_run # SKIP $*"
}
