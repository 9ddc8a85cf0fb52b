#!/bin/bash
# tests/clients/run.sh [CLIENT|PROVIDER]... - the agent programs, with the settings of README.md, against a stack of its own: a task of two turns with a
# tool call in each, for every program and a provider of every wire format. CLIENT: claude-code, codex, gemini-cli, openclaw; PROVIDER: anthropic,
# chat, responses, gemini; without any, all. Each run has a HOME of its own. KEEP=1 keeps all that was written.
# Prints PASS, FAIL and SKIP lines; the last line is 'N passed, N failed, N skipped'.
set -euo pipefail

AIPASS_ROOT=$(cd "$(dirname "$0")/../.." && pwd -P)
AIPASS_BUILD=${AIPASS_BUILD:-$AIPASS_ROOT/build}
HERE=$AIPASS_ROOT/tests/clients
# shellcheck source=etc/stack.sh
. "$AIPASS_ROOT/etc/stack.sh"
# shellcheck source=tests/clients/install.sh
. "$HERE/install.sh"
# shellcheck source=tests/clients/programs.sh
. "$HERE/programs.sh"

PASSED=0 FAILED=0 SKIPPED=0
PORT_FIRST=$((20000 + RANDOM % 12000)) # below the ports of outgoing connections
TURN_SECONDS=120
TELL_LINES=12
KEY=sk-aip-clients
TURNS='1 2'
PROMPT='Use your shell tool to run the command that copies secret.txt to ran.txt and shows it. Then tell me the secret.'
PROVIDERS=(anthropic chat responses gemini)
CLIENTS=(claude-code codex gemini-cli openclaw)
WORK='' SECRET='' PROVIDER='' FORMAT='' USAGE_MARK='' COMMAND=()
PATH="$clients_path:$PATH"

# ---- results ----

pass() { PASSED=$((PASSED + 1)) && echo "PASS $1"; }
skip() { SKIPPED=$((SKIPPED + 1)) && echo "SKIP $1"; }
fail() { # NAME WHY [FILE]
    FAILED=$((FAILED + 1))
    echo "FAIL $1: $2"
    [ -z "${3:-}" ] || tail -n "$TELL_LINES" "$3" | cut -c1-400 | sed 's/^/     /'
}

# ---- a program's run ----

# A HOME and a project that no run has seen.
fresh() {
    WORK=$STACK_DIR/runs/$((PASSED + FAILED + SKIPPED))
    rm -rf "$WORK"
    mkdir -p "$WORK/home" "$WORK/project" "$WORK/tmp"
}

new_secret() {
    SECRET=SECRET-$(stack_random 6)
    echo "$SECRET" >"$WORK/project/secret.txt"
    rm -f "$WORK/project/ran.txt"
}

# settings WORD - the block of README.md that begins ```WORD, with our host and key. $ROOT_URL in place of the documentation's host.
settings() {
    awk -v open="\`\`\`$1" '$0 == open { on = 1; next } /^```/ { on = 0 } on' "$AIPASS_ROOT/README.md" |
        sed -e "s#https://api\.aipasshub\.cloud#$STACK_URL#" -e "s/YOUR_API_KEY/$KEY/"
}

# in_project COMMAND... - with nothing of our own environment. What is not on this host is out of reach: no test talks to a vendor.
in_project() {
    (cd "$WORK/project" && exec timeout --kill-after=5 "$TURN_SECONDS" env -i PATH="$PATH" HOME="$WORK/home" TMPDIR="$WORK/tmp" TERM=dumb LANG=C.UTF-8 \
        HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1 "$@") </dev/null
}

# ---- what the gateway has noted ----

# The rows of the programs' key; the probes of use_provider have another one.
usage() {
    stack_sql -e "SELECT $1 FROM usage_log u JOIN api_keys k ON k.id = u.api_key_id WHERE k.name = 'clients' AND u.created_at >= '$USAGE_MARK' $2"
}
usage_mark() { USAGE_MARK=$(stack_sql -e 'SELECT UTC_TIMESTAMP(3)'); }
usage_has_rows() { [ "$(usage 'COUNT(*)' "AND u.status = 'ok'")" -ge "$1" ]; }

provider_format() {
    case $PROVIDER in
    chat | responses) echo "openai-$PROVIDER" ;;
    *) echo "$PROVIDER" ;;
    esac
}

# The rows of the run: enough of them, all in order, all between these two formats.
usage_is_right() { # CLIENT_FORMAT ROWS_MIN
    local wrong
    stack_until 50 usage_has_rows "$2" || { echo "fewer than $2 usage rows" && return 1; }
    wrong=$(usage "CONCAT_WS(' ', u.model, u.endpoint, u.status, u.http_status, u.error_code, u.client_format, u.provider_format)" \
        "AND NOT (u.status = 'ok' AND u.client_format = '$1' AND u.provider_format = '$(provider_format)')")
    [ -z "$wrong" ] || { echo "usage: ${wrong//$'\n'/; }" && return 1; }
}

# ---- tests ----

# turn COMMAND... - one turn of a task: the program has run the tool and tells the secret. Prints what is wrong.
turn() {
    local rc=0
    new_secret
    usage_mark
    in_project "$@" >"$WORK/out" 2>&1 || rc=$?
    [ "$rc" != 124 ] || { echo "no end within $TURN_SECONDS s" && return 1; }
    [ "$(cat "$WORK/project/ran.txt" 2>/dev/null)" = "$SECRET" ] || { echo "the tool was not run (status $rc)" && return 1; }
    grep -q "$SECRET" "$WORK/out" || { echo "the secret was not told (status $rc)" && return 1; }
    usage_is_right "$FORMAT" 2
}

# task NAME FORMAT FUNCTION [ARGUMENT...] - the turns of TURNS; FUNCTION 1 or 2 ARGUMENT... sets COMMAND for a turn.
task() {
    local name="$1 -> $PROVIDER" make=$3 number why
    FORMAT=$2
    shift 3
    for number in $TURNS; do
        COMMAND=()
        "$make" "$number" "$@"
        why=$(turn "${COMMAND[@]}") || { fail "$name, turn $number" "$why" "$WORK/out" && return 0; }
    done
    pass "$name"
}

# says NAME TEXT COMMAND... - one that need not call a tool.
says() {
    local name="$1 -> $PROVIDER" text=$2
    shift 2
    in_project "$@" >"$WORK/out" 2>&1 || true
    if grep -q -- "$text" "$WORK/out"; then
        pass "$name"
    else
        fail "$name" "does not say '$text'" "$WORK/out"
    fi
}

# ---- providers ----

is_served_by() {
    curl -s -m 10 -o /dev/null -H "authorization: Bearer sk-aip-clients-demo" -d '{"model":"gpt-5","messages":[{"role":"user","content":"Hello"}]}' \
        "$STACK_URL/v1/chat/completions"
    [ "$(stack_sql -e 'SELECT provider_format FROM usage_log ORDER BY request_id DESC LIMIT 1')" = "$(provider_format)" ]
}

# All processes take a change within five seconds.
use_provider() {
    PROVIDER=$1
    stack_sql -e "UPDATE channels SET status = IF(name = 'to-$PROVIDER', 'enabled', 'disabled')"
    sleep 5.5
    stack_until 100 is_served_by || { fail "$PROVIDER" "the channel did not take effect" && return 1; }
}

no_key_in_logs() { ! grep -rlE 'sk-aip-clients|demo-provider-key' "$STACK_DIR/log"; }

# Customers read the documentation: each line of README.md's settings stands there, too. Prints those that do not.
lines_missing_on_page() {
    local page line
    page=$(cd "$AIPASS_ROOT/htdocs/docs" && cat claude-code.md codex.md gemini-cli.md openclaw.md)
    awk '/^```(sh|toml|json) (claude-code|codex|gemini-cli|openclaw)$/ { on = 1; next } /^```/ { on = 0 } on && NF' "$AIPASS_ROOT/README.md" |
        while IFS= read -r line; do
            grep -qxF -- "$line" <<<"$page" || echo "$line"
        done
}

# ---- all of it ----

start() {
    stack_init "$AIPASS_BUILD/tmp/clients.$$"
    stack_start_database
    stack_migrate
    stack_start_provider
    stack_start_web "$PORT_FIRST"
    { printf "SET @key = 'sk-aip-clients-demo', @provider_url = '%s/v1';\n" "$STACK_PROVIDER_URL" && cat "$AIPASS_ROOT/etc/demo.sql" "$HERE/data.sql"; } | stack_sql
}

cleanup() {
    trap '' INT TERM HUP
    local dir=$STACK_DIR
    stack_stop
    [ -z "$dir" ] || [ "$FAILED" != 0 ] || [ -n "${KEEP:-}" ] || rm -rf "$dir"
    [ -z "$dir" ] || [ ! -e "$dir" ] || echo "kept: $dir" >&2
}

# only WORD... - which of the words were asked for; all when none was.
only() {
    local word found=()
    for word in "$@"; do
        [[ " $WANTED " != *" $word "* ]] || found+=("$word")
    done
    [ ${#found[@]} -gt 0 ] || found=("$@")
    echo "${found[@]}"
}

main() {
    local client clients=() provider why missing
    WANTED="$*"
    for client in $(only "${CLIENTS[@]}"); do
        if why=$(clients_install "$client"); then
            clients+=("$client")
        else
            skip "$client: $why"
        fi
    done
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    start || { FAILED=1 && echo "0 passed, 1 failed, $SKIPPED skipped" && return 1; }
    for provider in $(only "${PROVIDERS[@]}"); do
        use_provider "$provider" || continue
        for client in "${clients[@]}"; do
            "test_${client//-/_}"
        done
    done
    missing=$(lines_missing_on_page)
    if [ -z "$missing" ]; then pass "the start page has the settings of README.md"; else fail "the start page lacks settings of README.md" "$missing"; fi
    if no_key_in_logs >/dev/null; then pass "no key is in any log"; else fail "no key is in any log" "one is"; fi
    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    [ "$FAILED" = 0 ]
}

main "$@"
