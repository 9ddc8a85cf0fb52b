#!/bin/bash
# `make run` as a user meets it: etc/run.sh with its options, its output, its end. The last line is 'N passed, N failed'.
set -uo pipefail

ROOT=$(cd "$(dirname "$0")/../.." && pwd -P)
export AIPASS_BUILD=${AIPASS_BUILD:-$ROOT/build}
TMP=$AIPASS_BUILD/tmp/run.$$
VAR_DIR=$TMP/var
OUT=$TMP/out
START_TENTHS=900
STOP_TENTHS=300
PASSED=0 FAILED=0
RUN_PID='' PROVIDER_PID=''
unset PROVIDER_OPENAI_API_KEY PROVIDER_OPENAI_BASE_URL PORT FRESH CHECK

check() {
    local name=$1
    shift
    if "$@"; then
        PASSED=$((PASSED + 1))
        echo "PASS make run: $name"
    else
        FAILED=$((FAILED + 1))
        echo "FAIL make run: $name"
        tail -n 40 "$OUT" 2>/dev/null | sed 's/^/     /'
    fi
}

until_true() { # TENTHS COMMAND...
    local left=$1
    shift
    until "$@"; do
        ((left-- > 0)) || return 1
        sleep 0.1
    done
}

run() { env VAR="$VAR_DIR" "$@" "$ROOT/etc/run.sh" >"$OUT" 2>&1 </dev/null; }
says() { grep -qF -- "$1" "$OUT"; }

# The folders in /proc of processes that have the directory in their arguments: the servers. No child may do the search: it would find itself.
servers() {
    local folder words
    for folder in /proc/[0-9]*; do
        { mapfile -d '' -t words <"$folder/cmdline"; } 2>/dev/null || continue
        [[ ${words[*]} != *"$VAR_DIR"* ]] || echo "$folder"
    done
}
no_servers() { [ -z "$(servers)" ]; }

# serve [NAME=VALUE...] - until its last line is there. In a process group of its own and with Ctrl-C not ignored, like at a terminal.
serve() {
    setsid env --default-signal=INT VAR="$VAR_DIR" "$@" "$ROOT/etc/run.sh" >"$OUT" 2>&1 </dev/null &
    RUN_PID=$!
    until_true "$START_TENTHS" is_serving_or_gone && says "Ctrl-C stops everything"
}
is_serving_or_gone() { says "Ctrl-C stops everything" || ! kill -0 "$RUN_PID" 2>/dev/null; }
is_gone() { ! [ -e "/proc/$RUN_PID/exe" ]; }

# ends_by SIGNAL - sent to the whole group; everything is gone soon after.
ends_by() {
    disown "$RUN_PID" # else bash tells of a death by SIGKILL
    kill -s "$1" -- "-$RUN_PID" 2>/dev/null
    until_true "$STOP_TENTHS" is_gone && until_true "$STOP_TENTHS" no_servers || return 1
    RUN_PID=''
}

first_request_is_shown() {
    run CHECK=1 && says 'Hello from the demo provider' && says '| gpt-5 |' && says '| demo' && no_servers
}

second_run_keeps_data() {
    local key
    key=$(<"$VAR_DIR/key")
    run CHECK=1 && [ "$(<"$VAR_DIR/key")" = "$key" ] && [ "$(stat -c %a "$VAR_DIR/key")" = 600 ]
}

fresh_starts_anew() {
    local key
    key=$(<"$VAR_DIR/key")
    run CHECK=1 FRESH=1 && [ "$(<"$VAR_DIR/key")" != "$key" ]
}

# What is printed can be pasted: the exports and the curl command, and the SQL prompt's.
printed_lines_work() {
    local answer
    (
        eval "$(grep '^export ' "$OUT")"
        curl -s -m 20 -H "Authorization: Bearer $OPENAI_API_KEY" "$OPENAI_BASE_URL/models" | jq -e '.data | length == 3'
    ) >/dev/null || return 1
    answer=$(bash -c "$(sed -n '/^curl /,/^  }/p' "$OUT")" 2>/dev/null)
    jq -e '.choices[0].message.content' <<<"$answer" >/dev/null || return 1
    [ "$(bash -c "$(grep '^mariadb ' "$OUT") -N -e 'SELECT name FROM accounts'")" = demo ]
}

second_user_is_refused() { ! VAR="$VAR_DIR" CHECK=1 "$ROOT/etc/run.sh" >"$TMP/second" 2>&1 && grep -q 'is in use by another run' "$TMP/second"; }
taken_port_is_refused() {
    local port
    port=$(sed -n 's/^export OPENAI_BASE_URL=.*:\([0-9]*\).*/\1/p' "$OUT")
    ! VAR="$TMP/other" PORT=$port CHECK=1 "$ROOT/etc/run.sh" >"$TMP/second" 2>&1 && grep -q "port $port is taken" "$TMP/second"
}

# A key full of what SQL and shells treat specially.
SECRET="sk-canary'\"\\\$(id)-0123456789"
secret_stays_secret() {
    says "$SECRET" && return 1
    ! says "canary" && says "INSERT INTO channel_keys" && says "'********'" || return 1
    # grep itself is searched for by a pattern that it does not hold.
    ! grep -lsE 'sk-[c]anary' /proc/[0-9]*/cmdline 2>/dev/null | grep -q . && ! grep -rqE 'sk-[c]anary' "$VAR_DIR"/log &&
        ! secret_is_in_a_server
}
secret_is_in_a_server() {
    local folder
    for folder in $(servers); do
        grep -qE 'sk-[c]anary' "$folder/environ" 2>/dev/null && return 0
    done
    return 1
}
provider_got_the_key() { curl -s -m 10 "http://127.0.0.1:$(<"$TMP/port")/_tally" | jq -e --arg key "$SECRET" '.requests == 1 and (.keys | has($key))' >/dev/null; }

start_provider() {
    setpriv --pdeathsig TERM "$AIPASS_BUILD/tests/provider/provider" --port 0 --port-file "$TMP/port" --die-with-parent >/dev/null 2>&1 &
    PROVIDER_PID=$!
    until_true 100 test -s "$TMP/port"
}

real_provider_is_off_without_key() { run CHECK=1 && says '| demo'; }

long_path_works() {
    local deep
    deep=$TMP/$(printf "d%.0s" {1..110})
    VAR_DIR=$deep run CHECK=1 && ! grep -q "$deep/run" <(grep database "$OUT")
}

cleanup() {
    trap '' INT TERM HUP
    [ -z "$RUN_PID" ] || kill -TERM "$RUN_PID" 2>/dev/null
    [ -z "$PROVIDER_PID" ] || kill "$PROVIDER_PID" 2>/dev/null
    until_true "$STOP_TENTHS" no_servers
    [ "$FAILED" != 0 ] || rm -rf "$TMP"
}

main() {
    trap cleanup EXIT
    mkdir -p "$TMP"
    check "the first request is shown with its usage row" first_request_is_shown
    check "a second run keeps data and key" second_run_keeps_data
    check "FRESH=1 starts anew" fresh_starts_anew
    check "it serves until it is stopped" serve
    check "what it prints can be pasted" printed_lines_work
    check "a second run in the same directory is refused" second_user_is_refused
    check "a given port that is taken is refused" taken_port_is_refused
    check "Ctrl-C ends all that it started" ends_by INT
    check "it serves again" serve
    check "its death by SIGKILL ends all that it started" ends_by KILL
    start_provider
    check "a real provider is added" serve PROVIDER_OPENAI_API_KEY="$SECRET" PROVIDER_OPENAI_BASE_URL="http://127.0.0.1:$(<"$TMP/port")/v1"
    check "the provider got the key" provider_got_the_key
    check "the provider's key is shown nowhere" secret_stays_secret
    check "a closed terminal ends all that it started" ends_by HUP
    check "without a key the real provider is off" real_provider_is_off_without_key
    check "a directory too deep for sockets works" long_path_works
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

main
