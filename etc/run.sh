#!/bin/bash
# make run - the whole gateway on this machine, in one directory, until Ctrl-C.
#
# VAR=DIR    keeps everything there (default: var/ of the checkout); data and key survive to the next run
# PORT=N     serves on this port (default: 8080, or the next that is free)
# FRESH=1    starts anew: removes what VAR holds
# CHECK=1    ends with 0 once the first request was answered
# PROVIDER_OPENAI_API_KEY=... [PROVIDER_OPENAI_BASE_URL=...]   gpt models go to that provider instead of the demo provider
set -euo pipefail

AIPASS_ROOT=$(cd "$(dirname "$0")/.." && pwd -P)
AIPASS_BUILD=${AIPASS_BUILD:-$AIPASS_ROOT/build}
# shellcheck source=etc/stack.sh
. "$AIPASS_ROOT/etc/stack.sh"

VAR=${VAR:-$AIPASS_ROOT/var}
PORT_FIRST=8080
USAGE_TENTHS=100 # how long the usage row may take to be in the database
PROVIDER_KEY=${PROVIDER_OPENAI_API_KEY:-}
PROVIDER_BASE=${PROVIDER_OPENAI_BASE_URL:-https://api.openai.com/v1}
unset PROVIDER_OPENAI_API_KEY # no child inherits it
KEY=''

say() { printf '  %-14s %s\n' "$1" "$2"; }

build() {
    local log=$AIPASS_BUILD/make.log seconds=$SECONDS
    mkdir -p "$AIPASS_BUILD"
    [ -x "$AIPASS_BUILD/aipass.fcgi" ] || say building "the first time takes a moment"
    env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -C "$AIPASS_ROOT" -j2 SAN="${SAN:-}" all provider docs >"$log" 2>&1 ||
        stack_fail "the build failed" "$log"
    say built "in $((SECONDS - seconds)) s"
}

# ---- data ----

# The demo key's text is kept, readable by this user only: the database has only its hash.
load_key() {
    local file=$STACK_DIR/key
    [ -s "$file" ] || (umask 077 && echo "sk-aip-$(stack_random 24)" >"$file")
    KEY=$(<"$file")
}

# sql_text TEXT - as a SQL literal.
sql_text() {
    local text=${1//\\/\\\\}
    printf "'%s'" "${text//\'/\'\'}"
}

demo_sql() {
    printf 'SET @key = %s, @provider_url = %s;\n' "$(sql_text "$KEY")" "$(sql_text "$STACK_PROVIDER_URL/v1")"
    cat "$AIPASS_ROOT/etc/demo.sql"
}

# provider_sql KEY - a real channel that is preferred to the demo provider. The key is replaced, not added to.
provider_sql() {
    local private=FALSE
    [ -z "${PROVIDER_OPENAI_BASE_URL:-}" ] || private=TRUE
    cat <<SQL
INSERT INTO channels (name, provider, base_url, priority, allow_private) VALUES ('openai', 'openai', $(sql_text "$PROVIDER_BASE"), 10, $private)
  ON DUPLICATE KEY UPDATE base_url = VALUES(base_url), status = 'enabled', allow_private = VALUES(allow_private);
DELETE FROM channel_keys WHERE channel_id = (SELECT id FROM channels WHERE name = 'openai');
INSERT INTO channel_keys (channel_id, secret) SELECT id, $(sql_text "$1") FROM channels WHERE name = 'openai';
INSERT IGNORE INTO channel_models (channel_id, model_id)
  SELECT c.id, m.id FROM channels c JOIN models m ON m.name LIKE 'gpt-%' WHERE c.name = 'openai';
SQL
}

load_data() {
    local log=$STACK_DIR/log/sql.log
    load_key
    demo_sql | stack_sql 2>"$log" || stack_fail "the demo data was refused" "$log"
    if [ -n "$PROVIDER_KEY" ]; then
        provider_sql "$PROVIDER_KEY" | stack_sql 2>"$log" || stack_fail "the provider's channel was refused" "$log"
        say provider "$PROVIDER_BASE, added by this SQL:"
        provider_sql '********' | sed 's/^/      /'
    else
        # A key of an earlier run is not used, and not paid for, unasked.
        echo "UPDATE channels SET status = 'disabled' WHERE name = 'openai';" | stack_sql 2>"$log" ||
            stack_fail "the provider's channel could not be disabled" "$log"
    fi
}

# ---- what the user sees ----

# The documentation's quick start, with host and key filled in.
QUICK_BODY='{
    "model": "gpt-5",
    "messages": [
      {"role": "user", "content": "Hello, AIPass Hub!"}
    ],
    "stream": false
  }'

quick_start() {
    cat <<CURL
curl $STACK_URL/v1/chat/completions \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer $KEY" \\
  -d '$QUICK_BODY'
CURL
}

usage_rows() { stack_sql -e "SELECT COUNT(*) FROM usage_log" 2>/dev/null; }
has_more_rows_than() { [ "$(usage_rows)" -gt "$1" ]; }

show_usage() {
    stack_sql --table --column-names <<'SQL'
SELECT u.request_id, u.model, COALESCE(c.name, '-') AS channel, u.status, u.input_tokens AS input, u.output_tokens AS output,
       u.cost AS cost_usd, u.duration_ms AS ms
FROM usage_log u LEFT JOIN channels c ON c.id = u.channel_id ORDER BY u.request_id DESC LIMIT 1;
SQL
}

first_request() {
    local before status answer=$STACK_DIR/tmp/answer
    before=$(usage_rows)
    echo
    echo 'First request, to gpt-5: "Hello, AIPass Hub!"'
    # The key goes in on stdin: argument lists are for everybody to read.
    status=$(printf 'Authorization: Bearer %s\n' "$KEY" |
        curl -sS -m 120 -o "$answer" -w '%{http_code}' -H @- -H 'Content-Type: application/json' -d "$QUICK_BODY" \
            "$STACK_URL/v1/chat/completions") || true
    sed 's/^/  /' "$answer" 2>/dev/null || true
    echo
    [ "$status" = 200 ] || stack_fail "the first request was answered with status ${status:-none}" "$STACK_DIR/log/gateway.log"
    stack_until "$USAGE_TENTHS" has_more_rows_than "$before" ||
        stack_fail "no usage row came" "$STACK_DIR/log/gateway.log"
    echo "Its usage row:"
    show_usage | sed 's/^/  /'
}

show_how_to_use() {
    cat <<TEXT

Paste these into another terminal. SDKs and tools that know OpenAI then work as they are:

export OPENAI_BASE_URL=$STACK_URL/v1
export OPENAI_API_KEY=$KEY

$(quick_start)

The SQL prompt is where accounts, keys, prices and channels are made; README.md has the statements:

mariadb --defaults-file=$STACK_ADMIN_CNF

Models: gpt-5, claude-sonnet-4-6, gemini-2.5-pro. Logs: $STACK_DIR/log. Ctrl-C stops everything.
TEXT
}

# ---- all of it ----

stop() {
    trap '' INT TERM HUP
    [ -z "$STACK_WEB_PID" ] || echo "Stopping."
    stack_stop
}

start() {
    stack_init "$VAR"
    [ "${FRESH:-}" != 1 ] || stack_clear
    stack_start_database
    say database "MariaDB, $STACK_RUN/mariadb.sock"
    stack_migrate
    stack_start_provider
    say "demo provider" "$STACK_PROVIDER_URL/v1, free and made up"
    load_data
    if [ -n "${PORT:-}" ]; then
        stack_start_web "$PORT" exact
    else
        stack_start_web "$PORT_FIRST"
    fi
    say gateway "$STACK_URL"
    say documentation "$STACK_URL/docs/"
}

main() {
    trap stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    echo "AIPass Hub"
    "$AIPASS_ROOT/etc/install-deps.sh" build run docs
    build
    start
    first_request
    [ "${CHECK:-}" != 1 ] || return 0
    show_how_to_use
    stack_wait_child
    return 1
}

main
