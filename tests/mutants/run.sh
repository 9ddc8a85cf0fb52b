#!/bin/bash
# tests/mutants/run.sh [NAME]... - puts one fault at a time into a copy of the tree under build/mutants: the test that its patch names must turn red. All without a NAME.
# The last line is 'N passed, N failed': caught and missed.
#
# A mutant is NAME.patch beside this file: a line that says what is wrong, a line `test: TEST`, and the patch. TEST:
#   sim            the simulator: the fixed seeds of `make test`
#   unit:test_x    a program of tests/unit
#   e2e:WORD       the end-to-end tests of that name
# and a line `says: TEXT` where a test may turn red for other reasons, such as a slow machine: its output must have the text.
set -euo pipefail

cd "$(dirname "$0")/../.."
ROOT=$PWD
TREE=$ROOT/build/mutants/tree
LOGS=$ROOT/build/mutants/logs
TEST_SECONDS=300
SIM_SEEDS=1..100000
PASSED=0 FAILED=0
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # servers, which a user's path on Debian does not have
unset AIPASS_BUILD SAN MAKEFLAGS MAKELEVEL MFLAGS

# The copy keeps what it has built, but for files that a mutant may have changed.
copy_tree() {
    local part
    mkdir -p "$TREE" "$LOGS"
    find "$TREE" -mindepth 1 -maxdepth 1 -not -name build -exec rm -rf {} +
    for part in *; do
        case $part in build | build-* | var) ;; *) cp -a "$part" "$TREE/" ;; esac
    done
    (cd "$TREE" && sed -n 's|^+++ b/||p' tests/mutants/*.patch | sort -u | xargs touch)
}

# run_test TEST LOG - builds it and runs it.
run_test() {
    local log=$2
    case $1 in
    sim)
        make -C "$TREE" -j2 sim-tests >"$log" 2>&1 || return 9
        timeout "$TEST_SECONDS" "$TREE/build/tests/sim/sim" --seeds "$SIM_SEEDS" >>"$log" 2>&1 </dev/null
        ;;
    unit:*)
        make -C "$TREE" -j2 "build/tests/unit/${1#unit:}" >"$log" 2>&1 || return 9
        (cd "$TREE" && timeout "$TEST_SECONDS" "build/tests/unit/${1#unit:}") >>"$log" 2>&1 </dev/null
        ;;
    e2e:*)
        make -C "$TREE" -j2 e2e-tests >"$log" 2>&1 || return 9
        (cd "$TREE" && timeout "$TEST_SECONDS" build/tests/e2e/e2e "${1#e2e:}") >>"$log" 2>&1 </dev/null
        ;;
    *) return 9 ;;
    esac
}

tell() { # RESULT NAME TEST WHAT
    printf '%-7s %-26s %-22s %s\n' "$@"
    case $1 in caught) PASSED=$((PASSED + 1)) ;; *) FAILED=$((FAILED + 1)) ;; esac
}

# field NAME FILE - of a mutant's head.
field() { sed -n "s/^$1: //p" "$2"; }

# is_red STATUS LOG SAYS
is_red() { [ "$1" != 0 ] && { [ -z "$3" ] || grep -qF -- "$3" "$2"; }; }

# A test that is red without a fault proves nothing.
check_green() {
    local file test log rc done=" "
    for file in "$@"; do
        test=$(field test "$file")
        case $done in *" $test "*) continue ;; esac
        done+="$test "
        log=$LOGS/green-${test//:/-}.log
        rc=0
        run_test "$test" "$log" || rc=$?
        if [ "$rc" = 9 ] || is_red "$rc" "$log" "$(field says "$file")"; then
            echo "$test is red without any fault; log: $log"
            FAILED=$((FAILED + 1))
            return 1
        fi
    done
}

run_mutant() {
    local file=$1 name what test says log rc=0
    name=$(basename "$file" .patch)
    what=$(sed -n 1p "$file")
    test=$(field test "$file")
    says=$(field says "$file")
    log=$LOGS/$name.log
    if ! patch -s -p1 --dry-run -d "$TREE" <"$file" >"$log" 2>&1; then
        tell stale "$name" "$test" "the patch does not apply: $log"
        return
    fi
    patch -s -p1 -d "$TREE" <"$file"
    run_test "$test" "$log" || rc=$?
    if [ "$rc" = 9 ] || [ "$rc" = 124 ]; then
        tell broken "$name" "$test" "does not build, or does not end: $log"
    elif is_red "$rc" "$log" "$says"; then
        tell caught "$name" "$test" "$what"
    else
        tell missed "$name" "$test" "$what"
    fi
    patch -s -R -p1 -d "$TREE" <"$file"
}

main() {
    local file files=()
    [ $# -gt 0 ] || set -- tests/mutants/*.patch
    for file in "$@"; do
        file=$(basename "$file" .patch)
        files+=("$ROOT/tests/mutants/$file.patch")
    done
    etc/install-deps.sh build run test
    copy_tree
    if check_green "${files[@]}"; then
        for file in "${files[@]}"; do
            run_mutant "$file"
        done
    fi
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

main "$@"
