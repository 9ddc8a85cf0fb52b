#!/bin/bash
# make coverage - the unit tests against the branches of $COV_MODULES (db/*.c), counted by gcov. The last line is 'N passed, N failed'.
#
# A branch that no test takes must be listed in tests/coverage.allow with the reason why none can; what is listed must be there and not be taken. Assertions are left out:
# that they hold is what they say. The tests are those whose names begin with a word of TESTS.
set -euo pipefail

cd "$(dirname "$0")/.."
ALLOW=tests/coverage.allow
TESTS='ledger lease journal pricing price_list money_memory' # not money_chaos: what it reaches is another thing each time
TEST_SECONDS=300
PASSED=0 FAILED=0
BUILD=
MODULES=${COV_MODULES:?"call it by make coverage"}

quiet_make() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u SAN make "$@"; }

test_names() {
    local name
    for name in $TESTS; do
        find tests/unit -name "test_$name.c" -o -name "test_${name}_*.c"
    done | sed 's|.*/||; s|\.c$||' | sort -u
}

# Lines about files that nobody counts would never be missed.
check_list() {
    local file bad=0
    while read -r file; do
        case " $MODULES " in
        *" $(basename "$file" .c) "*) [ "db/$(basename "$file")" = "$file" ] && continue ;;
        esac
        echo "FAIL coverage.allow: $file is not counted"
        bad=1
    done < <(sed -n '/^#/d; s/ *::.*//p' "$ALLOW" | sort -u)
    return $bad
}

# run_tests - each counts as one that passes or fails.
run_tests() {
    local name log
    find "$BUILD/obj" -name '*.gcda' -delete
    for name in $(test_names); do
        log=$BUILD/logs/$name.log
        if timeout "$TEST_SECONDS" "$BUILD/tests/unit/$name" >"$log" 2>&1 </dev/null; then
            PASSED=$((PASSED + 1))
        else
            FAILED=$((FAILED + 1))
            tail -n 20 "$log"
            echo "FAIL $name; log: $log"
        fi
    done
}

# judge FILE - reads gcov's text of a file, after the list of what is allowed; prints what is wrong, and the row of the table. False when something is wrong.
judge() {
    # shellcheck disable=SC2016 # awk's own variables
    gcov -t -b -c -o "$BUILD/obj/${1%.c}.o" "$1" | awk -v file="$1" '
        function trim(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }
        function rest_after(s, n) { while (n-- > 0) s = substr(s, index(s, ":") + 1); return s }
        function wrong(what) { print "FAIL " what; bad++ }
        # A list line: file :: function :: text of the line :: branches :: reason.
        FILENAME != "-" {
            if (/^#/ || !NF) next
            n = split($0, f, / *:: */)
            if (n != 5 || !(f[4] > 0) || !length(f[5])) { wrong("coverage.allow: " $0); next }
            if (trim(f[1]) != file) next
            key = trim(f[2]) SUBSEP trim(f[3])
            allowed[key] += f[4]
            next
        }
        /^ *-: *0:Source:/ { is_it = ($0 ~ ("Source:" file "$")); next }
        !is_it { next }
        /^function / { name = $2; if ($4 == 0) never = name; next }
        /^branch / {
            if (is_assert) next
            branches++
            if (/never executed/ || $4 == 0) { missed[name SUBSEP text]++; at[name SUBSEP text] = line; lost++ }
            next
        }
        /^ *[-0-9#=*]+: *[0-9]+:/ {
            split($0, f, ":")
            line = f[2] + 0
            text = trim(rest_after($0, 2))
            if (!is_open) is_assert = 0
            if (text ~ /^assert\(/) { is_assert = is_open = 1 }
            if (is_open && text ~ /\);$/) is_open = 0
            count = trim(f[1])
            if (count == "-") next
            if (never != "") {
                branches++; lost++
                missed[never SUBSEP "never called"]++; at[never SUBSEP "never called"] = line
                never = ""
            }
            lines++
            if (count ~ /^[0-9]/) run++
        }
        END {
            for (k in missed) {
                split(k, f, SUBSEP)
                where = file ":" at[k] ": " f[1] ": " missed[k] " not taken: " f[2]
                if (!(k in allowed)) wrong(where)
                else if (allowed[k] != missed[k]) wrong(where " (" allowed[k] " listed)")
                else listed += missed[k]
            }
            for (k in allowed) {
                split(k, f, SUBSEP)
                if (!(k in missed)) wrong(file ": " f[1] ": listed, but taken or not there: " f[2])
            }
            if (!branches) wrong(file ": nothing was counted")
            printf "%-20s %5d lines %5.1f %% %5d branches %5.1f %% taken, %d listed\n", file, lines,
                100 * run / (lines ? lines : 1), branches, 100 * (branches - lost) / (branches ? branches : 1), listed
            exit bad > 0
        }' "$ALLOW" -
}

main() {
    local module binaries
    etc/install-deps.sh build test
    BUILD=$(quiet_make -s COV=1 where)
    export AIPASS_BUILD=$PWD/$BUILD
    mkdir -p "$BUILD/logs" "$BUILD/tmp"
    mapfile -t binaries < <(test_names | sed "s|^|$BUILD/tests/unit/|")
    if ! quiet_make -j2 COV=1 "${binaries[@]}" >"$BUILD/logs/build.log" 2>&1; then
        tail -n 40 "$BUILD/logs/build.log"
        echo "0 passed, 1 failed"
        exit 1
    fi
    run_tests
    check_list || FAILED=$((FAILED + 1))
    for module in $MODULES; do
        if judge "db/$module.c"; then
            PASSED=$((PASSED + 1))
        else
            FAILED=$((FAILED + 1))
        fi
    done
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

main "$@"
