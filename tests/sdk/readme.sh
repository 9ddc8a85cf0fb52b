# shellcheck shell=bash
# Sourced by run.sh: the SQL of README.md, as it stands there, on a stack that has no data yet. Only the provider's address is replaced.

# readme_sql WORD - what stands in the blocks that begin ```sql WORD.
readme_sql() { awk -v open="\`\`\`sql $1" '$0 == open { on = 1; next } /^```/ { on = 0 } on' "$AIPASS_ROOT/README.md"; }

readme_ask() { # KEY - the status of a chat request
    printf 'Authorization: Bearer %s\n' "$1" | curl -s -o "$STACK_DIR/tmp/readme.json" -m 20 -w '%{http_code}' -H @- \
        -H 'Content-Type: application/json' -d '{"model":"gpt-5","messages":[{"role":"user","content":"Hello"}]}' \
        "$STACK_URL/v1/chat/completions"
}
readme_answers() { [ "$(readme_ask "$1")" = "$2" ]; }

# The names are those of a second installation beside the stack's own.
readme_creates_users_with_the_rights_it_says() {
    local rights
    readme_sql root | sed 's/aipass/readme/g' | stack_root_sql || return 1
    rights=$(stack_root_sql -e 'SHOW GRANTS FOR readme_admin@localhost')
    [[ $rights == *"SELECT, INSERT, UPDATE, DELETE ON \`readme\`"* ]] && [[ $rights != *CREATE* ]]
}

readme_sql_of_an_admin_serves_within_five_seconds() {
    local out
    out=$({
        readme_sql admin | sed "s#https://api.openai.com/v1#$STACK_PROVIDER_URL/v1#"
        echo "UPDATE channels SET allow_private = TRUE WHERE name = 'openai-1';"
    } | stack_sql) || return 1
    README_KEY=$(grep -oE 'sk-aip-[0-9a-f]{48}' <<<"$out") || return 1
    stack_until 50 readme_answers "$README_KEY" 200 || { cat "$STACK_DIR/tmp/readme.json" && return 1; }
}

readme_sees_the_charge() {
    stack_until 50 readme_is_charged || { stack_sql -e 'SELECT * FROM v_account_balance' && return 1; }
}
readme_is_charged() { [ "$(stack_sql -e "SELECT COUNT(*) > 0 AND MIN(cost) > 0 FROM usage_log u JOIN accounts a ON a.id = u.account_id WHERE a.name = 'ann' AND u.status = 'ok'")" = 1 ]; }

readme_sql_revokes_a_key_within_a_second() {
    readme_sql revoke | sed "s/sk-aip-\.\.\./$README_KEY/" | stack_sql || return 1
    stack_until 15 readme_answers "$README_KEY" 401
}
