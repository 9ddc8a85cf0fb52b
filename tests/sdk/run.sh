#!/bin/bash
# The documentation's own examples, the official SDKs, and the SQL of README.md, against a stack of its own. Every answer, for each client
# and provider format, against the schemas of tests/schemas/; then the provider simulator itself against them.
# Prints PASS and FAIL lines; the last line is 'N passed, N failed'.
set -euo pipefail

AIPASS_ROOT=$(cd "$(dirname "$0")/../.." && pwd -P)
AIPASS_BUILD=${AIPASS_BUILD:-$AIPASS_ROOT/build}
HERE=$AIPASS_ROOT/tests/sdk
# shellcheck source=etc/stack.sh
. "$AIPASS_ROOT/etc/stack.sh"
# shellcheck source=tests/sdk/install.sh
. "$HERE/install.sh"
# shellcheck source=tests/sdk/readme.sh
. "$HERE/readme.sh"

PASSED=0 FAILED=0
NODE_DIR=''
PORT_FIRST=$((20000 + RANDOM % 12000)) # below the ports of outgoing connections
SUITE_SECONDS=300

# check NAME COMMAND... - a test whose output matters only when it fails.
check() {
    local name=$1 out
    shift
    # Not in a subshell: tests keep what they learn.
    if "$@" >"$STACK_DIR/tmp/check.out" 2>&1; then
        PASSED=$((PASSED + 1))
        echo "PASS $name"
    else
        FAILED=$((FAILED + 1))
        out=$(tail -n 20 "$STACK_DIR/tmp/check.out")
        printf 'FAIL %s\n%s\n' "$name" "${out//$'\n'/$'\n'    }"
    fi
}

# suite NAME COMMAND... - a program that prints its own tests and counts.
suite() {
    local name=$1 log=$STACK_DIR/log/$1.log counts rc=0
    shift
    timeout --foreground "$SUITE_SECONDS" "$@" </dev/null 2>&1 | tee "$log" | grep -vE '^[0-9]+ passed, [0-9]+ failed$' || rc=${PIPESTATUS[0]}
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1) || counts="0 passed, 1 failed"
    read -r passed _ failed _ <<<"$counts"
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
    [ "$rc" = 0 ] || [ "$failed" != 0 ] || { FAILED=$((FAILED + 1)) && echo "FAIL $name ended with status $rc"; }
}

# A documentation example as it stands there, but for host and key.
example() {
    local file=$STACK_DIR/tmp/$1
    sed -e "s#https://api\.aipasshub\.cloud#$STACK_URL#" -e 's/YOUR_API_KEY/sk-aip-sdk-rich/' "$HERE/docs/$1" >"$file"
    echo "$file"
}

whole_curl() {
    bash "$(example quick-start.sh)" >"$STACK_DIR/tmp/out"
    jq -e '.object == "chat.completion" and .model == "gpt-5" and (.choices[0].message.content | startswith("Hello from the demo provider"))
           and .choices[0].finish_reason == "stop" and .usage.total_tokens == .usage.prompt_tokens + .usage.completion_tokens' "$STACK_DIR/tmp/out"
}

streamed_curl() {
    local out=$STACK_DIR/tmp/out
    bash "$(example chat-stream.sh)" >"$out" || return 1
    [ "$(tail -n 2 "$out")" = "data: [DONE]" ] || { cat "$out" && return 1; }
    sed -n 's/^data: {/{/p' "$out" | jq -es 'all(.object == "chat.completion.chunk" and (.usage | not) and (.choices | length) == 1)
        and (map(.choices[0].delta.content // "") | add | startswith("Hello from the demo provider"))
        and (last.choices[0].finish_reason == "stop")'
}

python_example() { "$sdk_python" "$(example quick-start.py)" | grep -q '^Hello from the demo provider'; }

# Beside node_modules, where the import finds the SDK.
node_example() {
    cp "$(example quick-start.mjs)" "$SDK_DIR/quick-start.$$.mjs"
    local rc=0
    "$sdk_node" "$SDK_DIR/quick-start.$$.mjs" | grep -q '^Hello from the demo provider' || rc=$?
    rm -f "$SDK_DIR/quick-start.$$.mjs"
    return $rc
}

# What only the web server answers, and what it must not do to paths and pages.
get() { curl -s -m 10 -o "$STACK_DIR/tmp/out" -w '%{http_code} %{content_type}' "$@"; }
landing_page() { [ "$(get "$STACK_URL/")" = "200 text/html; charset=utf-8" ] && grep -q /v1/chat/completions "$STACK_DIR/tmp/out"; }
sources_are_not_served() { [[ $(get "$STACK_URL/x.md") == 403* ]] && [[ $(get "$STACK_URL/.git/config") == 403* ]]; }
unknown_page() { [ "$(get "$STACK_URL/no-such-page")" = "404 text/html; charset=utf-8" ]; }
huge_body() {
    local file=$STACK_DIR/tmp/huge
    truncate -s 36M "$file"
    [ "$(get --data-binary "@$file" "$STACK_URL/v1/chat/completions")" = "413 application/json" ] &&
        jq -e '.error.code == "request_too_large"' "$STACK_DIR/tmp/out"
}
without_version() { [ "$(get -H 'x-api-key: sk-aip-sdk-rich' "$STACK_URL/models")" = "200 application/json" ]; }
doubled_slash() { [ "$(get -H 'x-api-key: sk-aip-sdk-rich' "$STACK_URL/v1//models")" = "200 application/json" ]; }
head_is_answered() { [[ $(get -I "$STACK_URL/v1") == 200* ]]; }
no_key_in_logs() { ! grep -rE 'sk-aip-sdk|sk-provider-key|demo-provider-key' "$STACK_DIR/log"; }

# The programs in Node.js lie below node_modules, where imports find the SDKs.
run_suites() {
    local name
    NODE_DIR=$SDK_DIR/run.$$
    mkdir "$NODE_DIR"
    cp "$HERE"/*.mjs "$NODE_DIR/"
    suite node "$sdk_node" "$NODE_DIR/sdk.mjs"
    suite python "$sdk_python" "$HERE/sdk.py"
    for name in openai anthropic genai; do
        suite "node-$name" "$sdk_node" "$NODE_DIR/sdk_$name.mjs"
        suite "python-$name" "$sdk_python" -B "$HERE/sdk_$name.py"
    done
    suite pairs "$sdk_node" "$NODE_DIR/pairs.mjs"
    # The simulator itself, so that what fails against it is not its own fault.
    suite schemas "$sdk_node" "$NODE_DIR/schemas.mjs" --provider "$STACK_PROVIDER_URL"
}

start() {
    # The same channels fail in many tests; none is to be left alone for that.
    STACK_SETTINGS=$'breaker_failures = 0\nkey_probe_ms = 0\nretry_after_max_ms = 0'
    stack_init "$AIPASS_BUILD/tmp/sdk.$$"
    stack_start_database
    stack_migrate
    stack_start_provider
    stack_start_web "$PORT_FIRST"
}

load_data() {
    { printf "SET @key = 'sk-aip-sdk-demo', @provider_url = '%s/v1';\n" "$STACK_PROVIDER_URL" && cat "$AIPASS_ROOT/etc/demo.sql" "$HERE/data.sql"; } | stack_sql
    # The README's channel would be asked first.
    stack_sql -e "UPDATE channels SET status = 'disabled' WHERE name NOT LIKE 'demo%' AND name NOT LIKE 'sdk-%'"
}
has_data() { get -H 'Authorization: Bearer sk-aip-sdk-rich' "$STACK_URL/v1/models" >/dev/null && grep -q node-tool "$STACK_DIR/tmp/out" && grep -q python-openai-openai-responses-errors "$STACK_DIR/tmp/out"; }

cleanup() {
    trap '' INT TERM HUP
    local dir=$STACK_DIR
    stack_stop
    [ -z "$NODE_DIR" ] || rm -rf "$NODE_DIR"
    [ -z "$dir" ] || [ "$FAILED" != 0 ] || rm -rf "$dir"
    [ "$FAILED" = 0 ] || [ -z "$dir" ] || echo "kept: $dir"
}

main() {
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    start || { FAILED=1 && echo "0 passed, 1 failed" && return 1; }

    check "README: users have the rights that it says" readme_creates_users_with_the_rights_it_says
    check "README: an admin's SQL serves within five seconds" readme_sql_of_an_admin_serves_within_five_seconds
    check "README: the request was charged" readme_sees_the_charge
    check "README: a key is revoked within a second" readme_sql_revokes_a_key_within_a_second

    load_data
    stack_until 100 has_data || echo "the data did not take effect"
    check "documentation: curl" whole_curl
    check "documentation: curl, streamed" streamed_curl
    check "documentation: Python" python_example
    check "documentation: Node.js" node_example

    check "web server: the start page" landing_page
    check "web server: sources are not served" sources_are_not_served
    check "web server: an unknown page is 404" unknown_page
    check "web server: its own 413 is JSON" huge_body
    check "web server: paths without /v1" without_version
    check "web server: paths with a doubled slash" doubled_slash
    check "web server: HEAD /v1" head_is_answered

    export BASE_URL=$STACK_URL/v1 TALLY_URL=$STACK_PROVIDER_URL ADMIN_CNF=$STACK_ADMIN_CNF SCHEMAS=$AIPASS_ROOT/tests/schemas
    run_suites

    check "no key is in any log" no_key_in_logs
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

main
