#!/bin/bash
# aipassctl against a real database and web server: every command once, and for each check of doctor a fixture that fails it.
# Prints PASS and FAIL lines; the last line is 'N passed, N failed'.
set -uo pipefail

AIPASS_ROOT=$(cd "$(dirname "$0")/../.." && pwd -P)
AIPASS_BUILD=${AIPASS_BUILD:-$AIPASS_ROOT/build}
# shellcheck source=etc/stack.sh
. "$AIPASS_ROOT/etc/stack.sh"

PASSED=0 FAILED=0
CTL=$AIPASS_BUILD/aipassctl

check() {
    local name=$1
    shift
    if "$@" >"$STACK_DIR/tmp/check.out" 2>&1; then
        PASSED=$((PASSED + 1)) && echo "PASS $name"
    else
        FAILED=$((FAILED + 1)) && echo "FAIL $name" && tail -n 15 "$STACK_DIR/tmp/check.out" | sed 's/^/    /'
    fi
}

ctl() { "$CTL" "$@" --config "$STACK_DIR/etc/admin.conf" 2>"$STACK_DIR/tmp/err"; }
grep_in() { grep "$@" >/dev/null; } # reads to the end: no SIGPIPE
sql() { stack_sql -e "$1"; }

# is EXPECTED COMMAND... - stdout is exactly that.
is() {
    local expected=$1 got
    shift
    got=$("$@") || { echo "exit $?: $(cat "$STACK_DIR/tmp/err")" && return 1; }
    [ "$got" = "$expected" ] || { printf 'got: %s\nnot: %s\n' "$got" "$expected" && return 1; }
}
# exits CODE COMMAND...
exits() {
    local code=$1 rc=0
    shift
    "$@" || rc=$?
    [ "$rc" = "$code" ] || { echo "exit $rc, not $code: $(cat "$STACK_DIR/tmp/err")" && return 1; }
}

# ---- commands ----

accounts() {
    ctl account create ann --email ann@example.com --json | jq -e '.[0].name == "ann" and .[0].group == "default" and .[0].status == "active"' &&
        exits 1 ctl account create ann && exits 1 ctl account create bob --group nobody &&
        ctl account set ann --note 'a	b' >/dev/null && is 'a\tb' bash -c "'$CTL' account show ann --config '$STACK_DIR/etc/admin.conf' | tail -n 1 | cut -f 11" &&
        ctl account disable ann && is disabled sql "SELECT status FROM accounts WHERE name = 'ann'" &&
        ctl account enable ann && is active sql "SELECT status FROM accounts WHERE name = 'ann'"
}
dry_run_changes_nothing() {
    ctl account create carl --dry-run | grep_in carl && grep -q 'dry run' "$STACK_DIR/tmp/err" && is 0 sql "SELECT COUNT(*) FROM accounts WHERE name = 'carl'"
}
recharges() {
    exits 2 ctl recharge add ann 10 </dev/null && ctl recharge add ann 10 --reference wire-1 --yes >/dev/null &&
        exits 1 ctl recharge add ann 10 --reference wire-1 --yes && ctl recharge add ann -2.5 --kind adjustment --yes >/dev/null &&
        is 7.500000000 sql "SELECT SUM(amount) FROM ledger WHERE account_id = (SELECT id FROM accounts WHERE name = 'ann')" &&
        exits 2 ctl recharge add ann -1 --yes && exits 2 ctl recharge add ann 0 --yes && ctl recharge list ann --json | jq -e 'length == 2'
}
keys() {
    local key id
    key=$(ctl key create ann --name laptop --limit 5 --models demo-model) || return 1
    [[ $key =~ ^sk-aip-[0-9a-f]{48}$ ]] || { echo "$key" && return 1; }
    id=$(sql "SELECT id FROM api_keys WHERE name = 'laptop'")
    is 1 sql "SELECT COUNT(*) FROM api_keys WHERE key_hash = UNHEX(SHA2('$key', 256)) AND id = (SELECT api_key_id FROM rate_limits WHERE spend_total = 5)" &&
        is 1 sql "SELECT COUNT(*) FROM api_key_models" && exits 1 ctl key create ann --models nothing &&
        is 1 sql "SELECT COUNT(*) FROM api_keys WHERE name = 'laptop'" && ctl key set $id --limit none --name old >/dev/null &&
        is NULL sql "SELECT spend_total FROM rate_limits WHERE api_key_id = $id" && exits 2 ctl key revoke $id </dev/null &&
        ctl key set $id --limit-day 2.5 --limit-month 20 >/dev/null && ctl key list ann --json | jq -e '.[0] | .limit == null and .limit_day == "2.500000000" and .limit_month == "20.000000000"' &&
        sql "UPDATE rate_limits SET requests_per_minute = 60 WHERE api_key_id = $id; INSERT INTO api_key_addresses (api_key_id, address_range) VALUES ($id, '203.0.113.0/24')" &&
        ctl key rotate $id --grace 1 | grep_in ^sk-aip- && is '60 2.500000000 20.000000000 203.0.113.0/24' sql "SELECT CONCAT_WS(' ', requests_per_minute, spend_day, spend_month, address_range) FROM rate_limits JOIN api_key_addresses USING (api_key_id) WHERE api_key_id <> $id" && is 1 sql "SELECT COUNT(*) FROM api_keys WHERE expires_at < UTC_TIMESTAMP() + INTERVAL 61 MINUTE" &&
        ctl key disable $id && ctl key enable $id && ctl key revoke "$key" --yes && is revoked sql "SELECT status FROM api_keys WHERE id = $id" && exits 1 ctl key set 99
}
channels() {
    echo sk-provider-secret | ctl channel add two http://127.0.0.1:9/v1 --format anthropic --private --key --json | jq -e '.[0].keys == 1 and .[0].format == "anthropic"' &&
        is 1 sql "SELECT allow_private FROM channels WHERE name = 'two'" && is sk-provider-secret sql "SELECT secret FROM channel_keys JOIN channels c ON c.id = channel_id WHERE c.name = 'two'" &&
        ctl channel serve two demo-model --as other && is other sql "SELECT upstream_name FROM channel_models JOIN channels c ON c.id = channel_id WHERE c.name = 'two'" &&
        ctl channel drain two && is draining sql "SELECT status FROM channels WHERE name = 'two'" && exits 1 ctl channel serve two no-model &&
        ctl channel disable two && exits 1 ctl channel add three ftp://x
}
models_and_prices() {
    ctl model add fresh --context 1000 && ctl price set fresh input_token 1.25 >/dev/null && ctl price set fresh output_token 10 --from '2035-01-01' >/dev/null &&
        ctl price list fresh --json | jq -e 'length == 1 and .[0].usd == "1.250000000"' && ctl price list fresh --all --json | jq -e 'length == 2' &&
        exits 1 ctl price set fresh nonsense 1 && exits 2 ctl price set fresh input_token -1 && ctl price set fresh input_token 1 --account ann --json >/dev/null &&
        ctl model disable fresh && ctl model list 'fresh' --json | jq -e '.[0].status == "disabled" and .[0].input_token == "1.250000000"'
}
logs() {
    local id
    curl -s -m 20 -H "Authorization: Bearer $KEY" -d '{"model":"demo-model","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}' "$STACK_URL/v1/chat/completions" >/dev/null
    stack_until 50 has_row || return 1
    id=$(sql 'SELECT request_id FROM usage_log LIMIT 1')
    ctl log list --json | jq -e --arg id "$id" '.[0].request_id == $id and .[0].status == "ok"' && ctl log show "$id" | grep_in "^cost	0.0" &&
        ctl log export --json | jq -e 'length == 1' && ctl log list --until 2020-01-01 --json | jq -e 'length == 0' && exits 2 ctl log list --since yesterday && exits 1 ctl log show nothing
}
has_row() { [ "$(sql 'SELECT COUNT(*) FROM usage_log')" -ge 1 ]; }
piped_output_is_tsv() { ctl account list | head -n 1 | grep_in '^id	name	email'; }
formats() { ctl account list --output table | head -n 1 | grep_in '^id  *name' && exits 2 ctl account list --output xml; }
no_colour_in_a_pipe() { ! ctl account list --output table | grep_in $'\033'; }
terminal_output_is_a_table() {
    script -qec "$CTL account list --config $STACK_DIR/etc/admin.conf" /dev/null </dev/null | grep_in $'\033\[1m.*id  *name' &&
        ! NO_COLOR=1 script -qec "$CTL account list --config $STACK_DIR/etc/admin.conf" /dev/null </dev/null | grep_in $'\033'
}
progress_is_told_on_a_terminal() {
    script -qec "$CTL ledger check --config $STACK_DIR/etc/admin.conf" /dev/null </dev/null | grep_in 'checks: \[#*\.*\] [0-9]* of [0-9]*: ' &&
        script -qec "$CTL upkeep --now --config $STACK_DIR/etc/owner.conf" /dev/null </dev/null | grep_in 'tasks: \[#*\.*\] [0-9]* of [0-9]*: retention' &&
        is '' bash -c "'$CTL' ledger check --config '$STACK_DIR/etc/admin.conf' 2>&1 >/dev/null"
}
upkeep_tells_what_is_due() {
    sql "UPDATE upkeep SET due_at = '2020-01-01', until_at = '2000-01-01' WHERE name = 'retention'" && ctl upkeep --dry-run --json | jq -e 'any(.[]; .task == "retention" and .is_due == "yes") and length > 5' &&
        is 2020-01-01 sql "SELECT DATE(due_at) FROM upkeep WHERE name = 'retention'" && "$CTL" upkeep --verbose --config "$STACK_DIR/etc/owner.conf" | grep_in '^retention  *[0-9]* ms'
}
imports() {
    echo '{"tiny-1":{"mode":"chat","litellm_provider":"openai","input_cost_per_token":1e-6,"output_cost_per_token":2e-6,"max_input_tokens":1000,"max_output_tokens":100}}' >"$STACK_DIR/tmp/prices.json"
    ctl model import "$STACK_DIR/tmp/prices.json" --dry-run | grep_in '1 new' && is 0 sql "SELECT COUNT(*) FROM models WHERE name = 'tiny-1'" && ctl model import "$STACK_DIR/tmp/prices.json" --yes | grep_in activated &&
        is 1 sql "SELECT COUNT(*) FROM models WHERE name = 'tiny-1'"
}
redeems() {
    local code
    ctl redeem create -n 3 -a 5 --dry-run && is 0 sql 'SELECT COUNT(*) FROM redeem_codes' && code=$(ctl redeem create -n 1 -a 5) && ctl redeem use "$code" ann | grep_in 'credited to ann' && exits 1 ctl redeem use "$code" ann
}
explains() { ctl explain --key "$KEY" --model demo-model >"$STACK_DIR/tmp/explain" && grep_in -i one <"$STACK_DIR/tmp/explain" && exits 1 ctl explain --key nobody --model demo-model; }
# Whatever changes rows can be tried; the table of commands says so.
changes_can_be_tried() {
    local command
    for command in 'account create' 'account set' 'account disable' 'key create' 'key set' 'key rotate' 'key revoke' 'recharge add' 'redeem create' 'channel add' 'channel key' 'channel serve' 'channel drain' 'model add' 'model disable' 'model import' \
        'price set' migrate upkeep; do
        # shellcheck disable=SC2086
        "$CTL" $command --help | grep_in -- --dry-run || { echo "$command" && return 1; }
    done
}
manual_has_every_command() {
    local noun verb
    "$CTL" manual >"$STACK_DIR/tmp/manual"
    "$CTL" --help | sed -n 's/^  \([a-z]*\) \([a-z]*\).*/\1 \2/p' >"$STACK_DIR/tmp/commands"
    [ "$(wc -l <"$STACK_DIR/tmp/commands")" -gt 40 ] || return 1
    while read -r noun verb; do grep -q "^\*\*aipassctl $noun" "$STACK_DIR/tmp/manual" || { echo "$noun $verb" && return 1; }; done <"$STACK_DIR/tmp/commands"
    for noun in account key recharge redeem channel model price log ledger migrate upkeep explain doctor; do grep -q "^\*\*aipassctl $noun" "$STACK_DIR/tmp/manual" || return 1; done
}
suggests() { exits 2 ctl acount list && grep -q 'did you mean account' "$STACK_DIR/tmp/err" && exits 2 ctl account lst && grep -q 'did you mean list' "$STACK_DIR/tmp/err"; }
helps() { "$CTL" --help | grep_in 'price set' && "$CTL" key create --help | grep_in -- '--limit-month' && "$CTL" key --help | grep_in rotate; }
completes() {
    "$CTL" completion bash >"$STACK_DIR/tmp/bash" && bash -n "$STACK_DIR/tmp/bash" &&
        is 'account ' bash -c ". '$STACK_DIR/tmp/bash'; COMP_WORDS=(aipassctl acc); COMP_CWORD=1; _aipassctl; printf '%s ' \"\${COMPREPLY[@]}\"" &&
        is '--limit --limit-day --limit-month ' bash -c ". '$STACK_DIR/tmp/bash'; COMP_WORDS=(aipassctl key set --lim); COMP_CWORD=3; _aipassctl; printf '%s ' \"\${COMPREPLY[@]}\"" &&
        "$CTL" completion zsh | grep_in 'account).*compadd -- list show' && "$CTL" completion fish | grep_in "complete -c aipassctl" && exits 2 ctl completion csh
}

# ---- doctor ----

# doctor ARGS... - its findings as JSON in tmp/doctor, its code in $DOCTOR.
doctor() {
    DOCTOR=0
    "$CTL" doctor --config "$STACK_DIR/etc/doctor.conf" --json "$@" >"$STACK_DIR/tmp/doctor" 2>"$STACK_DIR/tmp/err" || DOCTOR=$?
}
# finds CHECK STATUS CODE ARGS... - that finding with a fix, and that exit code.
finds() {
    local name=$1 status=$2 code=$3
    shift 3
    doctor "$@"
    echo "$name" >>"$STACK_DIR/tmp/found"
    jq -e --arg n "$name" --arg s "$status" 'any(.[]; .check == $n and .status == $s and (.fix | type) == "string" and (.fix | length) > 5)' "$STACK_DIR/tmp/doctor" >/dev/null &&
        [ "$DOCTOR" = "$code" ] && return
    echo "exit $DOCTOR, expected $code with $name $status"
    cat "$STACK_DIR/tmp/doctor" "$STACK_DIR/tmp/err"
    return 1
}
# setting NAME VALUE - as doctor.conf has it for the next checks; reset takes all back.
setting() {
    sed -i "/^$1 /d" "$STACK_DIR/etc/doctor.conf"
    echo "$1 = $2" >>"$STACK_DIR/etc/doctor.conf"
}
reset() { cp "$STACK_DIR/etc/aipass.conf" "$STACK_DIR/etc/doctor.conf"; }

healthy() {
    reset && doctor --offline
    [ "$DOCTOR" = 0 ] && jq -e 'all(.status == "ok")' "$STACK_DIR/tmp/doctor" || { cat "$STACK_DIR/tmp/doctor" "$STACK_DIR/tmp/err" && return 1; }
}
bad_config() { reset && echo 'workers_max = many' >>"$STACK_DIR/etc/doctor.conf" && finds config error 2 --offline; }
open_option_file() { reset && cp "$STACK_DIR/etc/aipass.cnf" "$STACK_DIR/tmp/open.cnf" && chmod 644 "$STACK_DIR/tmp/open.cnf" && setting db_option_file "$STACK_DIR/tmp/open.cnf" && finds credentials error 2 --offline; }
missing_option_file() { reset && setting db_option_file "$STACK_DIR/tmp/nothing.cnf" && finds credentials error 2 --offline; }
bad_key_file() { reset && (umask 077 && echo abc >"$STACK_DIR/tmp/bad.key") && setting secret_key_file "$STACK_DIR/tmp/bad.key" && finds secret_key error 2 --offline; }
no_key_file() { reset && sed -i '/^secret_key_file/d' "$STACK_DIR/etc/doctor.conf" && finds secret_key warning 1 --offline; }
missing_spool() { reset && setting spool_dir "$STACK_DIR/nowhere" && finds spool error 2 --offline; }
open_spool() { reset && mkdir "$STACK_DIR/open" && chmod 755 "$STACK_DIR/open" && setting spool_dir "$STACK_DIR/open" && finds spool error 2 --offline; }
# The same on a machine of another kind.
shimmed() {
    [ -e "$STACK_DIR/tmp/shim.so" ] || gcc -shared -fPIC -o "$STACK_DIR/tmp/shim.so" "$AIPASS_ROOT/tests/ctl/shim.c" || return 1
    local shim=$1
    shift
    SHIM=$shim LD_PRELOAD=$STACK_DIR/tmp/shim.so finds "$@"
}
old_library() { reset && shimmed old-curl versions error 2 --offline; }
full_disk() { reset && shimmed full-disk spool warning 1 --offline; }
files_of_another_user() { reset && shimmed no-access credentials warning 1 --offline && shimmed no-access secret_key warning 1 --offline && shimmed no-access spool warning 1 --offline; }
spool_in_memory() {
    local dir rc=0
    [ "$(stat -f -c %T /dev/shm)" = tmpfs ] || return 1
    dir=$(mktemp -d /dev/shm/aipass.XXXXXX)
    reset && setting spool_dir "$dir" && finds spool error 2 --offline || rc=1
    rm -rf "$dir"
    return $rc
}
no_option_file() { reset && sed -i '/^db_option_file/d' "$STACK_DIR/etc/doctor.conf" && HOME=$STACK_DIR/nowhere finds credentials warning 2 --offline; }
no_config() {
    [ ! -e /etc/aipass/aipass.conf ] || return 0
    env -u AIPASS_CONFIG HOME="$STACK_DIR/nowhere" "$CTL" doctor --offline --json >"$STACK_DIR/tmp/doctor" 2>/dev/null
    jq -e 'any(.[]; .check == "config" and .status == "warning" and (.fix | length) > 5)' "$STACK_DIR/tmp/doctor"
}
no_views() {
    reset
    stack_root_sql -e "SELECT CONCAT('DROP VIEW aipass.', table_name, ';') FROM information_schema.views WHERE table_schema = 'aipass'" | stack_root_sql && doctor --offline &&
        jq -e 'any(.[]; .check == "views" and (.finding | contains("nothing needs them")))' "$STACK_DIR/tmp/doctor" && stack_root_sql aipass -e "DELETE FROM schema_migrations WHERE version = 0 AND name = 'views'" && stack_migrate
}
wrong_password() {
    reset && (umask 077 && sed 's/^password.*/password = wrong/' "$STACK_DIR/etc/aipass.cnf" >"$STACK_DIR/tmp/wrong.cnf") &&
        setting db_option_file "$STACK_DIR/tmp/wrong.cnf" && finds database error 2 --offline
}
no_database() {
    reset && (umask 077 && sed '/^database/d' "$STACK_DIR/etc/aipass.cnf" >"$STACK_DIR/tmp/none.cnf") &&
        setting db_option_file "$STACK_DIR/tmp/none.cnf" && finds database error 2 --offline
}
other_database() {
    reset && stack_root_sql -e "CREATE DATABASE empty; GRANT SELECT, INSERT, UPDATE, DELETE ON empty.* TO aipass@localhost" &&
        (umask 077 && sed 's/^database.*/database = empty/' "$STACK_DIR/etc/aipass.cnf" >"$STACK_DIR/tmp/empty.cnf") &&
        setting db_option_file "$STACK_DIR/tmp/empty.cnf" && finds schema error 2 --offline
}
lacking_rights() {
    reset
    stack_root_sql -e "CREATE USER reader@localhost IDENTIFIED BY 'r'; GRANT SELECT ON aipass.* TO reader@localhost"
    (umask 077 && sed -e 's/^user.*/user = reader/' -e 's/^password.*/password = r/' "$STACK_DIR/etc/aipass.cnf" >"$STACK_DIR/tmp/reader.cnf")
    setting db_option_file "$STACK_DIR/tmp/reader.cnf" && finds rights error 2 --offline && grep -q 'lacks INSERT UPDATE DELETE' "$STACK_DIR/tmp/doctor"
}
# Only this session's clock is another one: the server sets it for each new connection of this user.
wrong_clock() {
    reset && stack_root_sql -e "SET GLOBAL init_connect = 'SET timestamp = 1000000000'" || return 1
    local rc=0
    finds clock error 2 --offline || rc=1
    stack_root_sql -e "SET GLOBAL init_connect = ''"
    return $rc
}
unpriced_model() { reset && sql "INSERT INTO models (name) VALUES ('bare')" && finds prices warning 1 --offline; }
unserved_model() { finds routes warning 1 --offline && sql "DELETE FROM models WHERE name = 'bare'"; }
keyless_channel() {
    sql "INSERT INTO channels (name, base_url) VALUES ('bare', 'http://127.0.0.1:9/v1')" && finds keys warning 1 --offline && sql "DELETE FROM channels WHERE name = 'bare'"
}
late_upkeep() {
    sql "UPDATE upkeep SET due_at = '2020-01-01', until_at = '2099-01-01' WHERE name = 'retention'" && finds upkeep warning 1 --offline &&
        sql "UPDATE upkeep SET due_at = UTC_TIMESTAMP(3) + INTERVAL 1 HOUR, until_at = '2000-01-01' WHERE name = 'retention'"
}
dead_channel() {
    sql "UPDATE channels SET base_url = 'http://127.0.0.1:9/v1' WHERE name = 'one'" && finds channels error 2 && sql "UPDATE channels SET base_url = '$STACK_PROVIDER_URL/v1' WHERE name = 'one'"
}
# A provider of another kind: --key KEY, --default CONTROLS.
other_provider() {
    local pid rc=0 status=$1 code=$2
    shift 2
    rm -f "$STACK_DIR/tmp/other.port"
    stack_start other "$AIPASS_BUILD/tests/provider/provider" --port 0 --port-file "$STACK_DIR/tmp/other.port" --die-with-parent "$@"
    pid=$!
    stack_until 100 test -s "$STACK_DIR/tmp/other.port"
    sql "UPDATE channels SET base_url = 'http://127.0.0.1:$(<"$STACK_DIR/tmp/other.port")/v1' WHERE name = 'one'" && finds channels "$status" "$code" || rc=1
    sql "UPDATE channels SET base_url = '$STACK_PROVIDER_URL/v1' WHERE name = 'one'"
    stack_end "$pid"
    return $rc
}
refused_key() { other_provider error 2 --key another; }
# A server that answers 503 to all: lighttpd with a gateway that is not there.
ailing_provider() {
    spoil '$HTTP["url"] =~ "^/v1/models" { fastcgi.server := ( "/" => (( "socket" => "/nowhere/s", "check-local" => "disable" )) ) }' && sql "UPDATE channels SET base_url = '$BAD_URL/v1' WHERE name = 'one'" || return 1
    local rc=0
    finds channels warning 1 || rc=1
    sql "UPDATE channels SET base_url = '$STACK_PROVIDER_URL/v1' WHERE name = 'one'"
    return $rc
}
nothing_sold() { sql "UPDATE models SET status = 'disabled'" && finds channels warning 1 && sql "UPDATE models SET status = 'enabled'"; }
live_channel() { reset && doctor && jq -e 'any(.[]; .check == "channels" and .status == "ok")' "$STACK_DIR/tmp/doctor"; }

# ---- doctor and the web ----

web() { finds "$1" "$2" "$3" --offline --url "$BAD_URL" --key-file "$STACK_DIR/tmp/api.key" --silence "${4:-0}"; }
good_web() {
    reset && doctor --offline --url "$STACK_URL/v1" --key-file "$STACK_DIR/tmp/api.key" --silence 3
    jq -e '[.[] | select(.check | IN("web", "authorization", "stream", "body", "silence", "docs", "secrets"))] | length == 8 and all(.status == "ok")' "$STACK_DIR/tmp/doctor" &&
        jq -e 'any(.[]; .check == "tls" and .status == "warning")' "$STACK_DIR/tmp/doctor" && [ "$DOCTOR" = 1 ]
}
no_web() { BAD_URL=http://127.0.0.1:9 && finds web error 2 --offline --url "$BAD_URL"; }
no_key() { finds authorization warning 1 --offline --url "$STACK_URL"; }
bad_key() { echo sk-aip-wrong >"$STACK_DIR/tmp/wrong.key" && finds authorization error 2 --offline --url "$STACK_URL" --key-file "$STACK_DIR/tmp/wrong.key"; }

# Whatever doctor tells has a fixture above that fails it. views is never a fault, tls is warned of by good_web.
each_check_has_a_fixture() {
    cat "$AIPASS_ROOT"/ctl/doctor_*.c "$AIPASS_ROOT/ctl/ctl_doctor.c" | tr '\n' ' ' | grep -oE '(doctor_tell|check_count|check_secret_file)\( *(w->|&)?d, *"[a-z_]+"' | grep -oE '"[a-z_]+"' | tr -d '"' | sort -u >"$STACK_DIR/tmp/told"
    [ "$(wc -l <"$STACK_DIR/tmp/told")" -gt 18 ] || { cat "$STACK_DIR/tmp/told" && return 1; }
    same_lines "$({ cat "$STACK_DIR/tmp/found" && printf 'views\ntls\n'; } | sort -u)" "$(cat "$STACK_DIR/tmp/told")"
}
same_lines() { [ "$1" = "$2" ] || { diff <(echo "$1") <(echo "$2") && return 1; }; }

# A second lighttpd, with the shipped snippet and then the settings that spoil it: $1.
BAD_PID='' BAD_N=0
spoil() {
    local port=$((STACK_PORT + 60))
    stack_end "$BAD_PID"
    while stack_is_listening "$port"; do port=$((port + 1)); done
    BAD_URL=http://127.0.0.1:$port
    # The gateways of the one before may still hold their sockets.
    BAD_RUN=$STACK_RUN/bad$((BAD_N += 1))
    mkdir -p "$BAD_RUN" "$STACK_DIR/site" && chmod 700 "$BAD_RUN"
    sed -e "s|^server.port .*|server.port = $port|" -e "s|lighttpd.log|bad.log|" -e "s|\"$STACK_RUN\"|\"$BAD_RUN\"|" -e "s;\"\($AIPASS_ROOT\|$AIPASS_BUILD\)/htdocs\";\"$STACK_DIR/site\";" \
        "$STACK_DIR/etc/lighttpd.conf" >"$STACK_DIR/etc/bad.conf"
    printf '%s\n' "$1" >>"$STACK_DIR/etc/bad.conf"
    stack_start bad lighttpd -D -f "$STACK_DIR/etc/bad.conf"
    BAD_PID=$!
    stack_until 100 bad_is_up
}
bad_is_up() { [ "$(curl -s -o /dev/null -m 5 -w '%{http_code}' "$BAD_URL/healthz")" = 200 ]; }
lumped_stream() { spoil 'server.stream-response-body := 0' && web stream error 2; }
packed_stream() { spoil 'server.stream-response-body := 0
server.modules += ( "mod_deflate" )
deflate.mimetypes = ( "text/event-stream" )
deflate.allowed-encodings = ( "gzip" )' && web stream error 2; }
small_bodies() { spoil 'server.max-request-size := 64' && web body error 2; }
stripped_authorization() { spoil 'setenv.set-request-header = ( "Authorization" => "" )' && web authorization error 2; }
stripped_api_key() { spoil 'setenv.set-request-header = ( "x-api-key" => "" )' && web authorization error 2; }
cut_silence() { spoil 'server.max-write-idle := 2' && web silence error 2 8; }
not_routed() { BAD_URL=$STACK_PROVIDER_URL && finds web error 2 --offline --url "$BAD_URL"; }
slow_first_event() {
    mkdir -p "$STACK_DIR/site" && printf '#!/bin/sh\nsleep 1.5\nexec %s --config %s\n' "$AIPASS_BUILD/aipass.fcgi" "$STACK_DIR/etc/aipass.conf" >"$STACK_DIR/site/slow.cgi" && chmod 755 "$STACK_DIR/site/slow.cgi" &&
        spoil 'server.modules += ( "mod_alias", "mod_cgi" )
$HTTP["url"] =~ "^/v1/selftest" { fastcgi.server := ()
alias.url = ( "/v1/selftest" => "'"$STACK_DIR/site/slow.cgi"'" )
cgi.assign = ( "slow.cgi" => "" ) }' && web stream warning 1
}
no_page() { rm -rf "$STACK_DIR"/site/* && spoil '' && web docs warning 1; }
no_docs() { echo '<!DOCTYPE html>' >"$STACK_DIR/site/index.html" && web docs warning 1 && jq -e '[.[] | select(.check == "docs") | .status] == ["ok", "warning"]' "$STACK_DIR/tmp/doctor"; }
open_secrets() {
    mkdir -p "$STACK_DIR/site" && echo 'db_option_file = x' >"$STACK_DIR/site/aipass.conf" && spoil '$HTTP["url"] =~ "^/aipass" { server.document-root := "'"$STACK_DIR/site"'"
url.access-deny := () }' && web secrets error 2
}

seed() {
    sql "INSERT INTO models (name) VALUES ('demo-model');
         INSERT INTO prices (model_id, unit, amount) SELECT id, 'input_token', 1 FROM models UNION ALL SELECT id, 'output_token', 2 FROM models;
         INSERT INTO channels (name, base_url, allow_private) VALUES ('one', '$STACK_PROVIDER_URL/v1', TRUE);
         INSERT INTO channel_keys (channel_id, secret) SELECT id, 'provider-key' FROM channels;
         INSERT INTO channel_models (channel_id, model_id) SELECT c.id, m.id FROM channels c, models m;
         INSERT INTO accounts (name) VALUES ('tester'); INSERT INTO ledger (account_id, kind, amount) SELECT id, 'recharge', 5 FROM accounts;"
    KEY=$(ctl key create tester) || { cat "$STACK_DIR/tmp/err" && return 1; }
    (umask 077 && echo "$KEY" >"$STACK_DIR/tmp/api.key")
}

cleanup() {
    trap '' INT TERM HUP
    local dir=$STACK_DIR
    stack_end "$BAD_PID"
    stack_stop
    [ -z "$dir" ] || [ "$FAILED" != 0 ] || rm -rf "$dir"
    [ "$FAILED" = 0 ] || [ -z "$dir" ] || echo "kept: $dir"
}

main() {
    trap cleanup EXIT
    stack_init "$AIPASS_BUILD/tmp/ctl.$$" && stack_start_database && stack_migrate && stack_start_provider || exit 1
    sed "s|^db_option_file .*|db_option_file = $STACK_DIR/etc/admin.cnf|" "$STACK_DIR/etc/aipass.conf" >"$STACK_DIR/etc/admin.conf"
    seed || exit 1
    stack_start_web $((20000 + RANDOM % 12000)) || exit 1
    local name
    for name in healthy bad_config open_option_file missing_option_file bad_key_file no_key_file missing_spool open_spool spool_in_memory full_disk files_of_another_user \
        no_option_file no_config old_library wrong_password no_database other_database lacking_rights wrong_clock no_views unpriced_model unserved_model keyless_channel late_upkeep \
        dead_channel refused_key ailing_provider nothing_sold live_channel good_web no_web not_routed no_key bad_key \
        lumped_stream packed_stream slow_first_event small_bodies stripped_authorization stripped_api_key cut_silence no_page no_docs open_secrets each_check_has_a_fixture; do
        check "doctor: ${name//_/ }" "$name"
    done
    for name in accounts dry_run_changes_nothing recharges keys channels models_and_prices logs piped_output_is_tsv formats no_colour_in_a_pipe terminal_output_is_a_table \
        progress_is_told_on_a_terminal upkeep_tells_what_is_due imports redeems explains changes_can_be_tried manual_has_every_command suggests helps completes; do
        check "aipassctl: ${name//_/ }" "$name"
    done
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

main
