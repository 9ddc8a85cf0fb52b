#!/bin/bash
# tests/run-all.sh [unit|sim|fuzz-short|e2e|crash|crash-short|ctl|install-short|hosts|sdk|docs|docs-full|run]... - runs these suites (all but crash and docs-full by default). The last line is 'N passed, N failed'.
#
# unit  build/tests/unit/test_*: modules, with Check
# sim   build/tests/sim/sim: the money core on a simulated clock, database and disk; a fixed set of seeds
# fuzz-short tests/fuzz/run.sh: parsers and translations with bent inputs
# e2e   build/tests/e2e/e2e: the gateway behind lighttpd with MariaDB and the provider simulator
# crash tests/crash/crash: processes, servers and disks that fail under load; crash-short: as much of it as fits a minute
# ctl   tests/ctl/run.sh: aipassctl, and a failing fixture for each check of its doctor; tests/ctl/rights.sh: what database users need
# install-short tests/install/run.sh --short: make install, make uninstall; make test-install does it in chroots, with package and bundle
# hosts tests/hosts/run.sh --short: the real web servers with the shipped snippets; make test-hosts does it in full
# sdk   tests/sdk/run.sh: the documentation's examples, the official SDKs, the SQL of README.md
# docs  tests/docs/run.sh: the documentation's pages, openapi.json and the SQL cookbook; docs-full: also its samples, and a browser
# run   tests/sdk/make-run.sh: `make run` itself
set -euo pipefail

cd "$(dirname "$0")/.."
export AIPASS_BUILD=${AIPASS_BUILD:-$PWD/build}
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # servers, which a user's path on Debian does not have
LOGS=$AIPASS_BUILD/logs
UNIT_SECONDS=300
SUITE_SECONDS=2400
FUZZ_SECONDS=3      # each target
CRASH_SECONDS=60 # the last run begins within it
PASSED=0 FAILED=0

# add_counts LOG - adds what the log's summary lines say; false when there is none. Check's lines, or ours.
add_counts() {
    local counts
    counts=$(awk '
        /^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/ {
            gsub(/[^0-9 ]/, " "); passed += $2 - $3 - $4; failed += $3 + $4; seen = 1
        }
        /^[0-9]+ passed, [0-9]+ failed/ { passed += $1; failed += $3; seen = 1 }
        END { if (seen) print passed, failed }' "$1")
    [ -n "$counts" ] || return 1
    PASSED=$((PASSED + ${counts% *}))
    FAILED=$((FAILED + ${counts#* }))
    [ "${counts#* }" = 0 ] || return 2
}

# judge NAME LOG STATUS - counts a program's results; one that ended badly without telling a failure is a failure itself.
judge() {
    local rc=0
    add_counts "$2" || rc=$?
    if [ "$rc" = 1 ] || { [ "$rc" = 0 ] && [ "$3" != 0 ]; }; then
        FAILED=$((FAILED + 1))
        echo "FAIL $1: ended with status $3; log: $2"
        return 0
    fi
    [ "$rc" = 0 ] || echo "FAIL $1; log: $2"
}

build() {
    local log=$LOGS/build.log
    if ! env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -j2 SAN="${SAN:-}" "$@" >"$log" 2>&1; then
        tail -n 40 "$log"
        echo "FAIL build of $*; log: $log"
        FAILED=$((FAILED + 1))
        return 1
    fi
}

run_unit() {
    local source name log rc before
    build unit-tests || return 0
    for source in tests/unit/test_*.c; do
        name=$(basename "$source" .c)
        log=$LOGS/$name.log
        before=$PASSED
        rc=0
        timeout "$UNIT_SECONDS" "$AIPASS_BUILD/tests/unit/$name" >"$log" 2>&1 </dev/null || rc=$?
        [ "$rc" = 0 ] || tail -n 40 "$log"
        judge "$name" "$log" "$rc"
        printf '%4d  %s\n' $((PASSED - before)) "$name"
    done
}

run_docs() { # NAME [OPTION]
    build docs || return 0
    run_program "$1" tests/docs/run.sh "${@:2}"
}

# run_program NAME COMMAND... - one that prints as it goes.
run_program() {
    local name=$1 rc=0
    shift
    build e2e-tests || return 0
    timeout --foreground "$SUITE_SECONDS" "$@" </dev/null 2>&1 | tee "$LOGS/$name.log" || rc=$?
    judge "$name" "$LOGS/$name.log" "$rc"
}

run_sim() {
    local rc=0 seeds=1..100000
    case ${SAN:-} in
    *thread*) echo "sim: nothing for this sanitizer: it has one thread" && return 0 ;;
    ?*) seeds=1..2000 ;;
    esac
    build sim-tests || return 0
    timeout "$UNIT_SECONDS" "$AIPASS_BUILD/tests/sim/sim" --seeds "$seeds" </dev/null 2>&1 | tee "$LOGS/sim.log" || rc=$?
    judge sim "$LOGS/sim.log" "$rc"
}

run_fuzz() {
    local rc=0
    FUZZ_SECONDS=$FUZZ_SECONDS tests/fuzz/run.sh replay </dev/null 2>&1 | tee "$LOGS/fuzz-short.log" || rc=$?
    judge fuzz-short "$LOGS/fuzz-short.log" "$rc"
}

run_suite() {
    local passed=$PASSED failed=$FAILED seconds=$SECONDS
    echo "== $1"
    case $1 in
    unit) run_unit ;;
    sim) run_sim ;;
    fuzz-short) run_fuzz ;;
    e2e) run_program e2e "$AIPASS_BUILD/tests/e2e/e2e" ;;
    crash) run_program crash tests/crash/run.sh ;;
    crash-short) run_program crash-short tests/crash/run.sh --seconds "$CRASH_SECONDS" ;;
    ctl) build docs && run_program ctl tests/ctl/run.sh && run_program rights tests/ctl/rights.sh ;;
    install-short) run_program install-short tests/install/run.sh --short ;;
    hosts) etc/install-deps.sh hosts && build docs && run_program hosts tests/hosts/run.sh --short ;;
    sdk) run_program sdk tests/sdk/run.sh ;;
    docs) run_docs docs ;;
    docs-full) etc/install-deps.sh pages && run_docs docs-full --full ;;
    run) run_program run tests/sdk/make-run.sh ;;
    *) echo "usage: tests/run-all.sh [unit|sim|fuzz-short|e2e|crash|crash-short|ctl|install-short|hosts|sdk|docs|docs-full|run]..." >&2 && exit 2 ;;
    esac
    echo "== $1: $((PASSED - passed)) passed, $((FAILED - failed)) failed in $((SECONDS - seconds)) s"
}

main() {
    local suite
    [ $# -gt 0 ] || set -- unit sim fuzz-short e2e crash-short ctl install-short hosts sdk docs run
    etc/install-deps.sh build run docs test
    mkdir -p "$LOGS" "$AIPASS_BUILD/tmp"
    for suite in "$@"; do
        run_suite "$suite"
    done
    echo
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

main "$@"
