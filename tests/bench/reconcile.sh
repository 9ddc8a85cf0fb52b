#!/bin/bash
# make bench-reconcile - how long the books of ROWS requests (a million) take to check, and upkeep to sum them up and to drop their first month.
#
# In a MariaDB of its own, with the small buffers of `make run`. Fails when the check takes longer than SECONDS_MAX or finds a difference.
set -euo pipefail

AIPASS_ROOT=$(cd "$(dirname "$0")/../.." && pwd -P)
AIPASS_BUILD=${AIPASS_BUILD:-$AIPASS_ROOT/build}
# shellcheck source=etc/stack.sh
. "$AIPASS_ROOT/etc/stack.sh"

ROWS=${ROWS:-1000000}
SECONDS_MAX=${SECONDS_MAX:-60}
ctl() { "$AIPASS_BUILD/aipassctl" "$@" --config "$STACK_DIR/etc/owner.conf"; }

# timed TEXT COMMAND...
timed() {
    local text=$1 start end
    shift
    start=$(date +%s%N)
    "$@"
    end=$(date +%s%N)
    TOOK_MS=$(((end - start) / 1000000))
    printf '%6d.%d s  %s\n' $((TOOK_MS / 1000)) $((TOOK_MS % 1000 / 100)) "$text"
}
# As an installation that had no upkeep so far: all rows in p_max.
unmake_partitions() {
    echo 'ALTER TABLE usage_log PARTITION BY RANGE COLUMNS (request_id) (PARTITION p_max VALUES LESS THAN (MAXVALUE))' | stack_root_sql aipass
}
make_books() { { echo "SET @rows = $ROWS;" && cat "$AIPASS_ROOT/tests/bench/books.sql"; } | stack_root_sql aipass; }
check_is_fast() {
    timed "ledger check: $1" ctl ledger check --verbose
    ((TOOK_MS <= SECONDS_MAX * 1000)) || stack_fail "that is more than $SECONDS_MAX s"
}

main() {
    trap stack_stop EXIT
    stack_init "$AIPASS_BUILD/bench-reconcile"
    stack_clear
    stack_start_database
    stack_migrate
    unmake_partitions
    timed "$ROWS requests made" make_books
    check_is_fast "before upkeep"
    timed "upkeep: partitions, checkpoints, roll-ups" ctl upkeep --reorganize --verbose
    echo "UPDATE settings SET value = '0' WHERE name = 'usage_keep_months'" | stack_sql
    timed "upkeep: the months before this one dropped" ctl upkeep --now --verbose
    check_is_fast "with a month dropped"
    stack_stop
    rm -rf "$AIPASS_BUILD/bench-reconcile"
}

main
