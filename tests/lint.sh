#!/bin/bash
# make lint - layout, static analysis, a build without warnings, and the rules of CONTRIBUTING.md that a script can check.
# Every step runs, whatever the others say; 0 when all passed. What stands under "worth a look" fails nothing.
set -uo pipefail

cd "$(dirname "$0")/.." || exit 1
AIPASS_BUILD=${AIPASS_BUILD:-$PWD/build}
FILE_LINES_MAX=500
FUNCTION_LINES_MAX=70
PASSED=0 FAILED=0
TIDY_FLAGS=(-I. -D_GNU_SOURCE '-DAIPASS_VERSION="lint"' -std=gnu17)

c_files() { find base db upstream fcgi handlers ctl tests -name '*.[ch]' | sort; }
c_sources() { find base db upstream fcgi handlers ctl tests -name '*.c' | sort; }
shell_files() {
    # The documentation's examples are what they are.
    find etc tests man debian .ci -type f \( -name '*.sh' -o -path '.ci/run' \) -not -path 'tests/sdk/docs/*' | sort
}
# What would be committed, with or without git.
all_files() {
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard
    else
        find . -path ./build -prune -o -path ./var -prune -o -type f -print0
    fi
}

# step NAME COMMAND... - quiet when it passes.
step() {
    local name=$1 out seconds=$SECONDS
    shift
    if out=$("$@" 2>&1); then
        PASSED=$((PASSED + 1))
        printf 'ok    %-14s %3d s\n' "$name" $((SECONDS - seconds))
    else
        FAILED=$((FAILED + 1))
        printf 'FAIL  %-14s %3d s\n' "$name" $((SECONDS - seconds))
        tail -n 60 <<<"$out" | sed 's/^/      /'
    fi
}

check_layout() { c_files | xargs clang-format-14 --dry-run -Werror; }

check_warnings() {
    env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -j2 SAN= WERROR=1 B=build/werror all provider unit-tests e2e-tests crash-tests sim-tests fuzz-targets bench-tools
}

check_tidy() {
    local flags
    read -ra flags <<<"$(pkg-config --cflags libcurl libmariadb json-c)"
    c_sources | xargs -P2 -I{} clang-tidy-14 --quiet {} -- "${TIDY_FLAGS[@]}" "${flags[@]}" 2>/dev/null
}

# It does not know that Check's assertions end a test, and needs to be told of the one macro that opens a loop.
check_cppcheck() {
    mkdir -p "$AIPASS_BUILD/cppcheck"
    c_sources | cppcheck -q -j2 --file-list=- --cppcheck-build-dir="$AIPASS_BUILD/cppcheck" -I. -D_GNU_SOURCE \
        '-DHASH_ITER(hh,head,el,tmp)=while(el=head)' \
        --std=c11 --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
        --suppress=internalAstError --suppress=nullPointerRedundantCheck \
        --suppress='nullPointer:tests/*' --suppress='nullPointerArithmetic:tests/*'
}

check_man() {
    make -s man && ! mandoc -Tlint -W warning build/man/aipass* | grep .
}

check_units() {
    local dir
    command -v systemd-analyze >/dev/null || return 0
    dir=$(mktemp -d) || return 1
    cp etc/systemd/aipass.socket "$dir"
    sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' etc/systemd/aipass@.service >"$dir/aipass@.service"
    cp "$dir/aipass@.service" "$dir/aipass@1.service"
    systemd-analyze verify --man=no "$dir/aipass.socket" "$dir/aipass@1.service" && systemd-analyze security --offline=true --threshold=20 "$dir/aipass@1.service"
    local rc=$?
    rm -rf "$dir"
    return $rc
}

check_shell() { shell_files | xargs shellcheck -x -S warning; }

# Layers point one way. A line for each folder: what its files may include.
check_layers() {
    local folder allowed bad=0
    while read -r folder allowed; do
        [ -d "$folder" ] || continue
        if grep -rnE '^[[:space:]]*#include "' --include='*.[ch]' "$folder" | grep -v '^fcgi/main\.c:' |
            grep -vE "#include \"($allowed)/"; then
            echo "$folder/ may include $allowed only"
            bad=1
        fi
    done <<'LAYERS'
base      base
db        base|db
upstream  base|upstream
fcgi      base|fcgi
handlers  base|db|upstream|fcgi|handlers
ctl       base|db|upstream|ctl
LAYERS
    return $bad
}

# none NAME PATTERN - no file holds it. Brackets keep the patterns from finding themselves.
none() {
    local found
    found=$(all_files | xargs -0 grep -nIE "$2" -- 2>/dev/null) || return 0
    echo "$1:"
    echo "$found"
    return 1
}
check_hosts() { none "names a package registry's host" 'npmjs[.](org|com)|pypi[.]org|pythonhosted[.]org|deb[.]debian[.]org|crates[.]io|proxy[.]golang[.]org|maven[.]org'; }
check_unfinished() { none "unfinished" '\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b'; }

# Brace lines of functions stand alone in the first column.
long_functions() {
    # shellcheck disable=SC2016 # awk's own variables
    c_sources | xargs awk -v max="$FUNCTION_LINES_MAX" '
        /^[a-z].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
        /^{$/ { start = FNR }
        /^}$/ && start { if (FNR - start - 1 > max) print "  " FILENAME ":" start ": " name " has " FNR - start - 1 " lines"; start = 0 }'
}
long_files() {
    c_files | xargs wc -l | awk -v max="$FILE_LINES_MAX" '$2 != "total" && $1 > max { print "  " $2 " has " $1 " lines" }'
}

main() {
    local long
    etc/install-deps.sh build test lint
    step layout check_layout
    step layers check_layers
    step hosts check_hosts
    step unfinished check_unfinished
    step shellcheck check_shell
    step man check_man
    step units check_units
    step warnings check_warnings
    step cppcheck check_cppcheck
    step clang-tidy check_tidy
    long=$(long_functions && long_files)
    [ -z "$long" ] || printf 'worth a look (over %d lines a function, %d a file):\n%s\n' "$FUNCTION_LINES_MAX" "$FILE_LINES_MAX" "$long"
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

main
