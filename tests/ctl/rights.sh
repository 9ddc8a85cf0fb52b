#!/bin/bash
# What database users need: one who may only make tables, one who may only change rows, credentials in my.cnf, files that are pasted into phpMyAdmin, more than one
# host, other servers than are supported. Prints PASS and FAIL lines; the last line is 'N passed, N failed'.
set -uo pipefail

AIPASS_ROOT=$(cd "$(dirname "$0")/../.." && pwd -P)
AIPASS_BUILD=${AIPASS_BUILD:-$AIPASS_ROOT/build}
# shellcheck source=etc/stack.sh
. "$AIPASS_ROOT/etc/stack.sh"

PASSED=0 FAILED=0
CTL=$AIPASS_BUILD/aipassctl
SQL_FILE_MAX=1048576 # what phpMyAdmin takes at the least
TABLES_ONLY='SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP'
ROWS_ONLY='SELECT, INSERT, UPDATE, DELETE'
PRIMARY_PID='' REPLICA_PID='' WEB_PID=''

check() {
    local name=$1
    shift
    if "$@" >"$STACK_DIR/tmp/check.out" 2>&1; then
        PASSED=$((PASSED + 1)) && echo "PASS $name"
    else
        FAILED=$((FAILED + 1)) && echo "FAIL $name" && tail -n 15 "$STACK_DIR/tmp/check.out" | sed 's/^/    /'
    fi
}

same() { [ "$1" = "$2" ] || { printf 'got: %s\nnot: %s\n' "$1" "$2" && return 1; }; }

# user NAME DATABASE RIGHTS - a user with just these, in etc/NAME.cnf, and a configuration etc/NAME.conf.
user() {
    local password
    password=$(stack_random 16)
    stack_root_sql -e "CREATE USER $1@localhost IDENTIFIED BY '$password'; GRANT $3 ON $2.* TO $1@localhost" &&
        option_file "$1" "$STACK_RUN/mariadb.sock" "$1" "$password" "$2" && conf "$1"
}
# option_file FILE SOCKET USER PASSWORD DATABASE
option_file() { (umask 077 && printf '[aipass]\nsocket = %s\nuser = %s\npassword = %s\ndatabase = %s\n' "$2" "$3" "$4" "$5" >"$STACK_DIR/etc/$1.cnf"); }
# conf NAME [LINE] - with a spool and a log of its own.
conf() {
    (umask 077 && mkdir -p "$STACK_DIR/spool/$1")
    sed -e "s|^db_option_file .*|db_option_file = $STACK_DIR/etc/$1.cnf|" -e "s|^spool_dir .*|spool_dir = $STACK_DIR/spool/$1|" -e "s|^log .*|log = file:$STACK_DIR/log/$1.log|" \
        "$STACK_DIR/etc/aipass.conf" >"$STACK_DIR/etc/$1.conf"
    printf '%s\n' "${2:-}" >>"$STACK_DIR/etc/$1.conf"
}
ctl() { "$CTL" "$@" 2>"$STACK_DIR/tmp/err" || { cat "$STACK_DIR/tmp/err" && return 1; }; }
# finds CONF CHECK STATUS TEXT - doctor says so.
finds() {
    "$CTL" doctor --offline --json --config "$STACK_DIR/etc/$1.conf" >"$STACK_DIR/tmp/doctor" 2>&1
    jq -e --arg n "$2" --arg s "$3" --arg t "$4" 'any(.[]; .check == $n and .status == $s and (.finding | contains($t)))' <(grep -v ' ok, ' "$STACK_DIR/tmp/doctor" | grep -v '^Not checked') ||
        { cat "$STACK_DIR/tmp/doctor" && return 1; }
}

# ---- a gateway ----

# serve CONF - lighttpd with the shipped snippet and gateways of that configuration; the address in $URL.
serve() {
    local port=$((21000 + RANDOM % 11000)) run=$STACK_RUN/$1
    stop_serving
    while stack_is_listening "$port"; do port=$((port + 1)); done
    URL=http://127.0.0.1:$port
    mkdir -p "$run" && chmod 700 "$run"
    cat >"$STACK_DIR/etc/$1.lighttpd" <<CONF
server.bind = "127.0.0.1"
server.port = $port
server.errorlog = "$STACK_DIR/log/$1.lighttpd.log"
server.document-root = "$AIPASS_ROOT/htdocs"
var.aipass_program = "$AIPASS_BUILD/aipass.fcgi"
var.aipass_conf    = "$STACK_DIR/etc/$1.conf"
var.aipass_run     = "$run"
var.aipass_errors  = "$AIPASS_ROOT/etc/lighttpd-errors/"
var.aipass_htdocs  = "$AIPASS_ROOT/htdocs"
include "$AIPASS_ROOT/etc/lighttpd.conf"
CONF
    stack_start "$1.web" lighttpd -D -f "$STACK_DIR/etc/$1.lighttpd"
    WEB_PID=$!
    stack_until 200 is_ready || { curl -s -m 5 "$URL/readyz" && tail -n 5 "$STACK_DIR/log/$1.log" && return 1; }
}
is_ready() { [ "$(curl -s -o /dev/null -m 5 -w '%{http_code}' "$URL/readyz")" = 200 ]; }
# The gateways end after their server: what they owe must reach the database first.
stop_serving() {
    local pid gateways=()
    stack_is_alive "$WEB_PID" || return 0
    read -ra gateways <"/proc/$WEB_PID/task/$WEB_PID/children" || true
    stack_end "$WEB_PID"
    for pid in "${gateways[@]}"; do stack_until 100 stack_is_gone "$pid" || kill -KILL "$pid" 2>/dev/null; done
    WEB_PID=''
}
ask() {
    curl -s -m 20 -o "$STACK_DIR/tmp/answer" -w '%{http_code}' -H "Authorization: Bearer $KEY" -d '{"model":"demo-model","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}' "$URL/v1/chat/completions"
}
is_served() { same "$(ask)" 200 || { cat "$STACK_DIR/tmp/answer" && return 1; }; }

# seed SQL_COMMAND... - what a request needs, by that SQL prompt; the key in $KEY.
seed() {
    KEY=sk-aip-$(stack_random 24)
    "$@" <<SQL
INSERT INTO models (name) VALUES ('demo-model');
INSERT INTO prices (model_id, unit, amount) SELECT id, 'input_token', 1 FROM models UNION ALL SELECT id, 'output_token', 2 FROM models;
INSERT INTO channels (name, base_url, allow_private) VALUES ('one', '$STACK_PROVIDER_URL/v1', TRUE);
INSERT INTO channel_keys (channel_id, secret) SELECT id, 'provider-key' FROM channels;
INSERT INTO channel_models (channel_id, model_id) SELECT c.id, m.id FROM channels c, models m;
INSERT INTO accounts (name) VALUES ('tester');
INSERT INTO ledger (account_id, kind, amount) SELECT id, 'recharge', 5 FROM accounts;
INSERT INTO api_keys (account_id, name, key_hash, key_hint) SELECT id, 'k', UNHEX(SHA2('$KEY', 256)), 'sk-aip-...' FROM accounts;
SQL
}
rows() { stack_root_sql "$1" -e 'SELECT COUNT(*) FROM usage_log' 2>/dev/null; }
has_rows() { [ "$(rows "$1")" -ge "$2" ]; }

# ---- who may only make tables ----

a_tables_only_user_applies_the_schema() {
    stack_root_sql -e 'CREATE DATABASE bare CHARACTER SET utf8mb4' && user bare_owner bare "$TABLES_ONLY" || return 1
    ctl migrate --config "$STACK_DIR/etc/bare_owner.conf" >"$STACK_DIR/tmp/said" || { cat "$STACK_DIR/tmp/said" && return 1; }
    grep -q '^views: skipped, this user may not create views' "$STACK_DIR/tmp/said" && grep -q 'monthly partitions made' "$STACK_DIR/tmp/said" || { cat "$STACK_DIR/tmp/said" && return 1; }
    same "$(stack_root_sql -e "SELECT COUNT(*) FROM information_schema.views WHERE table_schema = 'bare'")" 0 &&
        same "$(stack_root_sql -e "SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = 'bare'")" 0 &&
        ctl migrate --config "$STACK_DIR/etc/bare_owner.conf" | grep 'files applied: 0'
}
its_rights_stand_in_the_readme() {
    grep -qF "\`$TABLES_ONLY\`" "$AIPASS_ROOT/README.md" && grep -qF "GRANT $ROWS_ONLY ON aipass.* TO aipass@localhost" "$AIPASS_ROOT/README.md"
}
doctor_says_that_there_are_no_views() { finds bare_owner views ok 'nothing needs them' && finds bare_owner schema ok ''; }
# One right less, and there is no schema: the list in README.md is no longer than it must be.
none_of_its_rights_is_one_too_many() {
    local right rest
    for right in CREATE ALTER; do # DROP: months that are over
        rest=$(sed -e "s/, $right\\(,\\|$\\)/\\1/" <<<"$TABLES_ONLY")
        stack_root_sql -e "CREATE DATABASE lacks_$right CHARACTER SET utf8mb4" && user "lacks_$right" "lacks_$right" "$rest" || return 1
        ! "$CTL" migrate --config "$STACK_DIR/etc/lacks_$right.conf" >"$STACK_DIR/tmp/said" 2>&1 && grep -q 'denied' "$STACK_DIR/tmp/said" || { echo "goes without $right" && tail -n 3 "$STACK_DIR/tmp/said" && return 1; }
    done
}
views_are_made_where_they_may_be() {
    stack_root_sql -e 'GRANT CREATE VIEW, DROP ON bare.* TO bare_owner@localhost' && ctl migrate --config "$STACK_DIR/etc/bare_owner.conf" | grep '^views: applied' &&
        finds bare_owner views ok 'for admins' && stack_root_sql bare -e 'SELECT * FROM v_problems' &&
        # What follows is to work without them.
        stack_root_sql -e "SELECT CONCAT('DROP VIEW bare.', table_name, ';') FROM information_schema.views WHERE table_schema = 'bare'" | stack_root_sql
}

# ---- who may only change rows ----

the_gateway_serves_with_rights_to_rows_only() {
    user bare_rows bare "$ROWS_ONLY" && seed mariadb --no-defaults --socket="$STACK_RUN/mariadb.sock" --user=root bare || return 1
    same "$(stack_root_sql -e "SELECT GROUP_CONCAT(privilege_type ORDER BY privilege_type) FROM information_schema.schema_privileges WHERE grantee = \"'bare_rows'@'localhost'\"")" DELETE,INSERT,SELECT,UPDATE &&
        same "$(stack_root_sql -e "SELECT GROUP_CONCAT(privilege_type) FROM information_schema.user_privileges WHERE grantee = \"'bare_rows'@'localhost'\"")" USAGE &&
        serve bare_rows && is_served && stack_until 100 has_rows bare 1 && finds bare_rows rights ok 'rows: SELECT INSERT UPDATE DELETE; tables: none'
}
every_format_and_path_works_without_views() {
    local path body
    while read -r path body; do
        same "$(curl -s -m 20 -o "$STACK_DIR/tmp/answer" -w '%{http_code}' -H "Authorization: Bearer $KEY" ${body:+-d "$body"} "$URL$path")" 200 || { echo "$path" && cat "$STACK_DIR/tmp/answer" && return 1; }
    done <<'PATHS'
/v1/responses {"model":"demo-model","max_output_tokens":50,"input":"hi"}
/v1/messages {"model":"demo-model","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}
/v1beta/models/demo-model:generateContent {"contents":[{"role":"user","parts":[{"text":"hi"}]}]}
/v1/models
/v1/usage
PATHS
}
its_tasks_are_done_by_the_gateway_but_those_of_the_owner() {
    stack_until 150 checkpoint_was_made && stop_serving && ctl upkeep --now --config "$STACK_DIR/etc/bare_owner.conf" &&
        same "$(stack_root_sql bare -e "SELECT COUNT(*) FROM upkeep WHERE outcome LIKE '%err%' OR outcome LIKE '%denied%'")" 0
}
checkpoint_was_made() { [ -n "$(stack_root_sql bare -e "SELECT outcome FROM upkeep WHERE name = 'checkpoint' AND outcome IS NOT NULL AND outcome <> ''")" ]; }
aipassctl_works_with_rights_to_rows_only() {
    local c=$STACK_DIR/etc/bare_rows.conf
    ctl account create ann --config "$c" && ctl key create ann --config "$c" && ctl recharge add ann 3 --yes --config "$c" && ctl account list --config "$c" | grep ann && ctl log list --config "$c" | grep demo-model &&
        ctl ledger check --config "$c" | grep OK && ctl explain --key "$KEY" --model demo-model --config "$c"
}

# ---- credentials ----

credentials_come_from_my_cnf() {
    local home=$STACK_DIR/home password
    password=$(sed -n 's/^password = //p' "$STACK_DIR/etc/bare_rows.cnf")
    (umask 077 && mkdir -p "$home" && printf '[client]\nsocket = %s\nuser = bare_rows\npassword = %s\n[aipass]\ndatabase = bare\n' "$STACK_RUN/mariadb.sock" "$password" >"$home/.my.cnf")
    conf home && sed -i '/^db_option_file/d' "$STACK_DIR/etc/home.conf"
    HOME=$home ctl account list --config "$STACK_DIR/etc/home.conf" | grep ann
}
a_group_of_another_name_is_read() {
    sed 's/^\[aipass\]/[shop]/' "$STACK_DIR/etc/bare_rows.cnf" >"$STACK_DIR/etc/shop.cnf" && chmod 600 "$STACK_DIR/etc/shop.cnf" && conf shop 'db_option_group = shop' &&
        ctl account list --config "$STACK_DIR/etc/shop.conf" | grep ann
}

# ---- phpMyAdmin ----

files_can_be_pasted() {
    local dir=$STACK_DIR/tmp/sql file
    stack_root_sql -e 'CREATE DATABASE pasted CHARACTER SET utf8mb4' && user paster pasted "$TABLES_ONLY" && mkdir "$dir" && ctl migrate --sql "$dir" || return 1
    same "$(find "$dir" -name '[0-9]*.sql' | wc -l)" "$(find "$AIPASS_ROOT/db/migrations" -name '*.sql' | wc -l)" || return 1
    for file in "$dir"/[0-9]*.sql; do
        ! grep -qi '^ *delimiter' "$file" && [ "$(stat -c %s "$file")" -lt $SQL_FILE_MAX ] || { echo "$file" && return 1; }
        # The prompt cuts at semicolons, as phpMyAdmin does; each file is a session of its own, with the server's own settings.
        sed 's/^\[aipass\]/[client]/; /^database/d' "$STACK_DIR/etc/paster.cnf" >"$STACK_DIR/etc/paster.client"
        mariadb --defaults-file="$STACK_DIR/etc/paster.client" --binary-mode pasted <"$file" || { echo "$file" && return 1; }
    done
}
what_was_pasted_is_known() {
    finds paster schema ok '' && ctl migrate --config "$STACK_DIR/etc/paster.conf" | grep 'files applied: 0' &&
        same "$(tables_of pasted)" "$(tables_of bare)"
}
# All but who recorded when, and the names of months.
tables_of() { stack_root_sql -e "SELECT table_name, column_name, column_type, is_nullable, column_default, column_comment FROM information_schema.columns WHERE table_schema = '$1' ORDER BY table_name, ordinal_position" | md5sum; }
the_gateway_serves_from_pasted_tables() {
    user pasted_rows pasted "$ROWS_ONLY" && seed mariadb --no-defaults --socket="$STACK_RUN/mariadb.sock" --user=root pasted && serve pasted_rows && is_served && stop_serving
}

# ---- more than one host ----

# database NAME PORT OPTIONS... - a MariaDB of its own, data in data/NAME; the pid in $!.
database() {
    local name=$1 port=$2 data=$STACK_DIR/data/$1
    shift 2
    [ -d "$data" ] || mariadb-install-db --no-defaults --datadir="$data" --tmpdir="$STACK_DIR/tmp" --user="$(id -un)" --auth-root-authentication-method=normal --skip-test-db >"$STACK_DIR/log/$name-install.log" 2>&1 || return 1
    stack_start "$name" mariadbd --no-defaults --user="$(id -un)" --datadir="$data" --socket="$STACK_RUN/$name.sock" --pid-file="$STACK_DIR/$name.pid" --tmpdir="$STACK_DIR/tmp" --port="$port" --bind-address=127.0.0.1 \
        --innodb-snapshot-isolation=ON --innodb-buffer-pool-size=32M --innodb-log-file-size=16M --character-set-server=utf8mb4 "$@"
}
on() {
    local name=$1
    shift
    mariadb --no-defaults --socket="$STACK_RUN/$name.sock" --user=root --batch --skip-column-names "$@"
}
is_up() { on "$1" -e 'SELECT 1' >/dev/null 2>&1; }
pick_port() {
    DB_PORT=$((10000 + RANDOM % 10000)) # below those of outgoing connections
    while stack_is_listening "$DB_PORT"; do DB_PORT=$((DB_PORT + 1)); done
}

a_primary_has_a_replica() {
    pick_port && PRIMARY_PORT=$DB_PORT && database primary "$PRIMARY_PORT" --server-id=1 --log-bin=primary --sync-binlog=1 && PRIMARY_PID=$! || return 1
    stack_until 300 is_up primary && pick_port && REPLICA_PORT=$DB_PORT && database replica "$REPLICA_PORT" --server-id=2 --read-only=1 && REPLICA_PID=$! && stack_until 300 is_up replica || return 1
    on primary -e "CREATE DATABASE aipass; CREATE USER copy@'127.0.0.1' IDENTIFIED BY 'c'; GRANT REPLICATION SLAVE ON *.* TO copy@'127.0.0.1'; CREATE USER gw@'127.0.0.1' IDENTIFIED BY 'g'; GRANT ALL ON aipass.* TO gw@'127.0.0.1'" &&
        on replica -e "CHANGE MASTER TO master_host = '127.0.0.1', master_port = $PRIMARY_PORT, master_user = 'copy', master_password = 'c', master_log_file = 'primary.000001', master_log_pos = 4, master_connect_retry = 1; START SLAVE" || return 1
    (umask 077 && printf '[aipass]\nuser = gw\npassword = g\ndatabase = aipass\n' >"$STACK_DIR/etc/hosts.cnf")
    conf hosts "db_hosts = 127.0.0.1:$PRIMARY_PORT,127.0.0.1:$REPLICA_PORT"
    ctl migrate --config "$STACK_DIR/etc/hosts.conf" >/dev/null && seed mariadb --no-defaults --socket="$STACK_RUN/primary.sock" --user=root aipass && stack_until 200 replica_has_it
}
replica_has_it() { [ "$(on replica -e 'SELECT COUNT(*) FROM aipass.api_keys' 2>/dev/null)" = 1 ]; }
the_first_host_serves() {
    serve hosts && is_served && stack_until 100 replica_counts 1 && same "$(on primary -e 'SELECT COUNT(*) FROM aipass.usage_log')" 1
}
replica_counts() { [ "$(on replica -e 'SELECT COUNT(*) FROM aipass.usage_log' 2>/dev/null)" = "$1" ]; }
its_successor_is_used_when_it_fails() {
    kill -KILL "$PRIMARY_PID" && wait "$PRIMARY_PID" 2>/dev/null
    PRIMARY_PID=''
    on replica -e 'STOP SLAVE; SET GLOBAL read_only = 0' && stack_until 150 serves_again && stack_until 150 replica_counts 2 && stop_serving && ctl ledger check --config "$STACK_DIR/etc/hosts.conf" | grep OK
}
serves_again() { [ "$(ask)" = 200 ]; }

# ---- servers that are not supported ----

other_server() {
    stack_end "$REPLICA_PID"
    database replica "$REPLICA_PORT" --server-id=2 --skip-slave-start --version="$1" && REPLICA_PID=$! && stack_until 300 is_up replica || return 1
    conf hosts "db_hosts = 127.0.0.1:$REPLICA_PORT"
    finds hosts database error "$2"
}
doctor_tells_an_old_server() { other_server 10.6.20-MariaDB 'too old'; }
doctor_tells_mysql() { other_server 8.0.36 'is not MariaDB'; }

cleanup() {
    trap '' INT TERM HUP
    local dir=$STACK_DIR
    stop_serving
    stack_end "$PRIMARY_PID"
    stack_end "$REPLICA_PID"
    stack_stop
    [ -z "$dir" ] || [ "$FAILED" != 0 ] || rm -rf "$dir"
    [ "$FAILED" = 0 ] || [ -z "$dir" ] || echo "kept: $dir"
}

main() {
    trap cleanup EXIT
    stack_init "$AIPASS_BUILD/tmp/rights.$$" && stack_start_database && stack_start_provider || exit 1
    local name
    for name in a_tables_only_user_applies_the_schema its_rights_stand_in_the_readme doctor_says_that_there_are_no_views none_of_its_rights_is_one_too_many views_are_made_where_they_may_be \
        the_gateway_serves_with_rights_to_rows_only every_format_and_path_works_without_views its_tasks_are_done_by_the_gateway_but_those_of_the_owner aipassctl_works_with_rights_to_rows_only \
        credentials_come_from_my_cnf a_group_of_another_name_is_read files_can_be_pasted what_was_pasted_is_known the_gateway_serves_from_pasted_tables \
        a_primary_has_a_replica the_first_host_serves its_successor_is_used_when_it_fails doctor_tells_an_old_server doctor_tells_mysql; do
        check "rights: ${name//_/ }" "$name"
    done
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

main
