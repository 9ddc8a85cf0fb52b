# shellcheck shell=bash
# Sourced by run.sh: the pages as the shipped lighttpd snippet serves them, the SQL cookbook, and the samples, on a stack that runs.

head_of() { curl -s -m 10 -o "$WORK/body" -D "$WORK/head" -w '%{http_code} %{content_type}\n' "$@"; }
has_header() { tr -d '\r' <"$WORK/head" | grep -qiE "^$1\$" || { cat "$WORK/head" && return 1; }; }

pages_are_served() {
    local path
    for path in /docs/ /docs/index /docs/index.html /docs/prices /docs/admin /docs/schema "/docs/?lang=python" "/docs/admin?x"; do
        [ "$(head_of "$STACK_URL$path")" = "200 text/html; charset=utf-8" ] && grep -q '^<main' "$WORK/body" || { echo "$path" && return 1; }
    done
    [[ $(head_of "$STACK_URL/docs") == 301* ]]
}
pages_are_compressed() {
    [ "$(head_of -H 'Accept-Encoding: br, gzip' "$STACK_URL/docs/")" = "200 text/html; charset=utf-8" ] && has_header 'content-encoding: gzip' &&
        gunzip -c "$WORK/body" | cmp - "$PAGES/docs/index.html" &&
        [ "$(head_of --compressed "$STACK_URL/docs/admin")" = "200 text/html; charset=utf-8" ] && cmp "$WORK/body" "$PAGES/docs/admin.html"
}
pages_have_strict_headers() {
    head_of "$STACK_URL/docs/" && has_header "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; .*frame-ancestors 'none'.*" &&
        has_header 'x-content-type-options: nosniff' && has_header 'cache-control: public, max-age=300' && has_header 'vary: accept, accept-encoding' &&
        has_header 'etag: .*' && ! grep -qi unsafe "$WORK/head"
}
pages_are_revalidated() {
    head_of -H 'Accept-Encoding: gzip' "$STACK_URL/docs/" && local tag
    tag=$(tr -d '\r' <"$WORK/head" | sed -n 's/^[Ee][Tt]ag: //p')
    [[ $(head_of -H 'Accept-Encoding: gzip' -H "If-None-Match: $tag" "$STACK_URL/docs/") == 304* ]]
}
assets_are_kept_for_good() {
    local link
    for link in $(grep -oE '/docs/[a-z]+\.(css|js)\?v=[0-9a-f]+' "$PAGES/docs/index.html"); do
        [[ $(head_of -H 'Accept-Encoding: gzip' "$STACK_URL$link") == "200 text/"* ]] && has_header 'cache-control: public, max-age=31536000, immutable' &&
            has_header 'content-encoding: gzip' || return 1
    done
}
markdown_is_served() {
    [ "$(head_of "$STACK_URL/docs/index.md")" = "200 text/markdown; charset=utf-8" ] && cmp "$WORK/body" "$PAGES/docs/index.md" &&
        [ "$(head_of -H 'Accept: text/markdown, */*' "$STACK_URL/docs/")" = "200 text/markdown; charset=utf-8" ] && cmp "$WORK/body" "$PAGES/docs/index.md" &&
        [ "$(head_of -H 'Accept: text/markdown' "$STACK_URL/docs/admin")" = "200 text/markdown; charset=utf-8" ] && cmp "$WORK/body" "$PAGES/docs/admin.md" &&
        [[ $(head_of "$STACK_URL/README.md") == 403* ]] && [[ $(head_of "$STACK_URL/docs/samples/x.sh") == 403* ]]
}
agents_files_are_served() {
    [ "$(head_of "$STACK_URL/llms.txt")" = "200 text/plain; charset=utf-8" ] && head -n 1 "$WORK/body" | grep -q '^# AIPass Hub$' &&
        [ "$(head_of "$STACK_URL/llms-full.txt")" = "200 text/plain; charset=utf-8" ] && grep -q '{#chat}' "$WORK/body" &&
        [ "$(head_of "$STACK_URL/openapi.json")" = "200 application/json" ] && jq -e '.openapi' "$WORK/body"
}
# What the pages call not available is not there; once it is, they have to change.
unavailable_is_unavailable() {
    local path
    [ "$(grep -l 'Not available on this host yet' "$ROOT_DIR"/htdocs/docs/{images,video}.md | wc -l)" = 2 ] || return 1
    for path in /v1/images/generations /v1/video/generations; do
        [[ $(head_of -H 'Authorization: Bearer sk-aip-docs' -d '{"model":"gpt-5","prompt":"x"}' "$STACK_URL$path") == 404* ]] || return 1
    done
}

# ---- the schema reference and the cookbook ----

schema_is_current() { diff <(schema_markdown) "$ROOT_DIR/htdocs/docs/schema.md" || { echo "make docs-schema writes it anew" && return 1; }; }

# The code of one language in a section, without its fences. The cookbook has a statement a line and task.
section_code() { awk -v fence="^\`\`\`$2" '$0 ~ fence { on = 1; next } /^```/ { on = 0 } on' "$ROOT_DIR/htdocs/docs/$1.md"; }
cookbook_sql() { section_code cookbook sql; }
cookbook_has_25_tasks() {
    local n
    n=$(cookbook_sql | wc -l)
    [ "$n" -ge 25 ] && [ "$(grep -E '^### [0-9]+\. ' "$ROOT_DIR/htdocs/docs/cookbook.md" | sed -E 's/^### ([0-9]+).*/\1/')" = "$(seq "$n")" ]
}

cookbook_names_an_old_request() {
    stack_sql <<'SQL'
INSERT INTO usage_log (request_id, account_id, api_key_id, group_id, endpoint, model, client_format, status, http_status, input_tokens, price_lines, cost, process_id, created_at)
  SELECT '01M2V7Q4Z9T6JX0N3R8CEHKWBD', id, 1, 1, 'chat.completions', 'gpt-5', 'openai-chat', 'ok', 200, 1, '[]', 0.01, '01M2V7Q4Z9T6JX0N3R8CEHKWBD', UTC_TIMESTAMP(3)
  FROM accounts WHERE name = 'ann';
SQL
}

# As a user who may change rows but no tables, one after the other: the first error ends it.
cookbook_runs() {
    local n=0 line
    cookbook_sql >"$WORK/cookbook.sql"
    while IFS= read -r line; do
        n=$((n + 1))
        line=${line//https:\/\/api.openai.com\/v1/$STACK_PROVIDER_URL/v1}
        stack_sql <<<"$line" >"$WORK/task.$n" 2>"$WORK/task.err" || { echo "task $n: $line" && cat "$WORK/task.err" && return 1; }
        # The rest needs a request of this account, which the first task made.
        [ $n != 1 ] || cookbook_names_an_old_request || return 1
    done <"$WORK/cookbook.sql"
    COOKBOOK_KEY=$(grep -ohE 'sk-aip-[0-9a-f]{48}' "$WORK"/task.*) && [ "$(wc -l <<<"$COOKBOOK_KEY")" = 1 ]
}
# What it says happens: balance 50 - 2.5 + 0.01, ten percent off, a limited key that answers.
cookbook_does_what_it_says() {
    stack_sql -e "UPDATE accounts SET status = 'active' WHERE name = 'ann'; UPDATE channels SET status = 'enabled', allow_private = TRUE WHERE name = 'openai-1'"
    [ "$(stack_sql -e "SELECT balance FROM v_account_balance WHERE name = 'ann'")" = 47.510000000 ] || return 1
    stack_until 80 cookbook_key_answers || { cat "$WORK/body" && return 1; }
    grep -q '01M2V7Q4Z9T6JX0N3R8CEHKWBD' "$WORK/task.23" && ! stack_sql 2>/dev/null < <(sed -n 25p "$WORK/cookbook.sql") && ! stack_sql 2>/dev/null < <(sed -n 5p "$WORK/cookbook.sql")
}
# What the rest of the admin's guide tells to type, as the same limited user: every statement, every command.
ADMIN_SECTIONS="channels offers operations"
admin_sql_runs() {
    local section line
    for section in $ADMIN_SECTIONS; do
        while IFS= read -r line; do
            stack_sql <<<"$line" >"$WORK/sql.out" 2>&1 || { echo "$section: $line" && cat "$WORK/sql.out" && return 1; }
        done < <(section_code "$section" sql)
    done
}
# Every setting of a channel that an admin can make is shown by a statement.
channel_settings_are_told() {
    local table column bad=0
    while read -r table column; do
        section_code channels sql | grep -E "\b$table\b" | grep -qE "\b$column\b" || cookbook_sql | grep -E "\b$table\b" | grep -qE "\b$column\b" ||
            { echo "no statement sets $table.$column" && bad=1; }
    done < <(stack_sql -e "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()
        AND (table_name LIKE 'channel%' OR table_name = 'parameter_overrides') AND column_name NOT IN ('id', 'note', 'created_at', 'disabled_reason', 'disabled_at', 'probe_at', 'probes', 'format')
        AND NOT (table_name = 'channel_models' AND column_name IN ('connect_ms', 'between_bytes_ms', 'total_ms'))")
    return $bad
}
admin_commands_run() {
    local section line dir=$WORK/commands
    mkdir -p "$dir" && cp "$ROOT_DIR/tests/e2e/models.json" "$dir/model_prices_and_context_window.json" && echo sk-provider >"$dir/key.txt"
    for section in cookbook channels offers; do
        while IFS= read -r line; do
            line=${line/sk-aip-012...cdef/$COOKBOOK_KEY}
            # Our old request has no books behind it.
            [[ $line != *"ledger check"* ]] || line="! $line"
            line="$line --config '$STACK_DIR/etc/aipass.conf'"
            line=${line/recharge add/recharge add --yes}
            (cd "$dir" && PATH="$AIPASS_BUILD:$PATH" bash -c "$line") >"$WORK/command.out" 2>&1 || { echo "$section: $line" && cat "$WORK/command.out" && return 1; }
        done < <(section_code "$section" bash | grep '^aipassctl ')
    done
}
cookbook_key_answers() {
    [[ $(head_of -H "Authorization: Bearer $COOKBOOK_KEY" -H 'Content-Type: application/json' -d '{"model":"gpt-5","messages":[{"role":"user","content":"Hello"}]}' \
        "$STACK_URL/v1/chat/completions") == 200* ]]
}

# ---- samples ----

# sample FILE - as it stands there but for host and key.
sample() {
    local file=$WORK/${1##*/}
    sed -e "s#https://api\.aipasshub\.cloud#$STACK_URL#" -e 's/YOUR_API_KEY/sk-aip-docs/' "$1" >"$file"
    echo "$file"
}
# What a sample must print, by its name and kind.
sample_expects() {
    case $1 in
    usage.sh | usage.c) echo '"balance"' ;;
    usage.*) echo '^Balance: -?[0-9.]+ USD$' ;;
    redeem.sh | redeem.c) echo '"redemption"' ;;
    redeem.*) echo '^Credited: 10\.0+ USD$' ;;
    models.mjs) echo '^gpt-5 \{' ;;
    models.*) echo 'gpt-5.*1\.25|"id":"gpt-5"' ;;
    count-tokens.sh) echo '"input_tokens":[0-9]+' ;;
    gemini-count.sh) echo '"totalTokens":[0-9]+' ;;
    chat-stream.sh | chat-stream.c) echo '^data: \[DONE\]' ;;
    messages-stream.sh) echo '^event: message_stop' ;;
    gemini-stream.sh) echo '"finishReason":"STOP"' ;;
    *) echo 'Hello from the demo provider' ;;
    esac
}
sample_prints() { # FILE COMMAND...
    local name
    name=$(basename "$1")
    shift
    case $name in redeem.*) new_code ;; esac
    timeout 60 "$@" >"$WORK/out" 2>&1 || { cat "$WORK/out" && return 1; }
    grep -qE "$(sample_expects "$name")" "$WORK/out" || { cat "$WORK/out" && return 1; }
}
new_code() {
    stack_sql <<'SQL'
UPDATE redeem_codes SET code_hash = RANDOM_BYTES(32) WHERE code_hash = UNHEX(SHA2('AIP-0123456789ABCDEF01234567', 256));
INSERT INTO redeem_codes (code_hash, amount) VALUES (UNHEX(SHA2('AIP-0123456789ABCDEF01234567', 256)), 10);
SQL
}
# What stands in a page itself instead of a file: each block of a page that begins with curl.
inline_requests_are_answered() {
    local n
    awk -v dir="$WORK" '/^```/ { on = /^```bash$/ && !on; first = on; next } first { keep = /^curl /; first = 0; n += keep } on && keep { print > dir "/inline." n ".sh" } !on { keep = 0 }' \
        "$ROOT_DIR"/htdocs/docs/{billing,prices,chat,messages,gemini,models,usage,errors,limits,streaming}.md
    for n in "$WORK"/inline.*.sh; do
        run_inline "$n" || { echo "$n:" && cat "$n" "$WORK/out" && return 1; }
    done
    [ -e "$WORK/inline.2.sh" ]
}
run_inline() {
    sed -i -e "s#https://api\.aipasshub\.cloud#$STACK_URL#" -e 's/YOUR_API_KEY/sk-aip-docs/' "$1"
    sed -i '1s/^curl/curl -sSf/' "$1" && bash "$1" >"$WORK/out" 2>&1 && jq -e 'has("error") | not' "$WORK/out" || return 1
    ! grep -q x-aipass-cost "$1" || jq -e '.usage.cost > 0' "$WORK/out"
}
sample_is_refused() { bash "$(sample "$1")" 2>"$WORK/out.err" | tee "$WORK/out" | jq -e '.error.code == "not_found"' || { cat "$WORK/out" && return 1; }; }
run_sample() { # FILE
    local file
    file=$(sample "$1")
    case $1 in
    *.sh) sample_prints "$1" bash "$file" ;;
    *.c) gcc -Wall -Werror -o "$file.out" "$file" -lcurl && sample_prints "$1" "$file.out" ;;
    *.php) sample_prints "$1" php "$file" ;;
    *.py) sample_prints "$1" "$TOOLS/venv/bin/python" "$file" ;;
    *.mjs) cp "$file" "$TOOLS/sample.$$.mjs" && sample_prints "$1" node "$TOOLS/sample.$$.mjs" ;;
    esac
}
