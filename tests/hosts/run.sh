#!/bin/bash
# tests/hosts/run.sh [--short] [HOST...] - the gateway behind the real web servers with the shipped snippets, each on a free port, from a clean directory.
# HOST: lighttpd lighttpd-tls apache-proxy apache-tls apache-fcgid apache-cgi nginx nginx-tls inetd. --short: what fits a minute.
# Prints PASS and FAIL lines with what was measured; the last line is 'N passed, N failed'.
set -uo pipefail

AIPASS_ROOT=$(cd "$(dirname "$0")/../.." && pwd -P)
AIPASS_BUILD=${AIPASS_BUILD:-$AIPASS_ROOT/build}
# shellcheck source=etc/stack.sh
. "$AIPASS_ROOT/etc/stack.sh"

PASSED=0 FAILED=0 SHORT='' SERVER_PID='' PORT='' DIR='' RESTART='' CONF=''
MODULES=/usr/lib/apache2/modules
USER_NAME=$(id -un)
PAGES=$AIPASS_BUILD/htdocs # make docs

# ---- what each server gets ----

free_port() {
    PORT=$((20000 + RANDOM % 12000))
    while stack_is_listening "$PORT"; do PORT=$((PORT + 1)); done
}

write_conf() {
    CONF=$DIR/aipass.conf
    sed -e "s|^log .*|log = file:$DIR/gateway.log|" -e "s|^spool_dir .*|spool_dir = $DIR/spool|" "$STACK_DIR/etc/aipass.conf" >"$CONF"
    printf 'ping_ms = 1000\nclient_write_ms = 3000\ndrain_timeout_ms = 20000\n%s\n' "${1:-}" >>"$CONF"
    sed -i '0,/^drain_timeout_ms/{/^drain_timeout_ms/d}' "$CONF"
    (umask 077 && mkdir -p "$DIR/spool")
}

make_certificate() {
    [ -e "$STACK_DIR/etc/tls.crt" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -keyout "$STACK_DIR/etc/tls.key" -out "$STACK_DIR/etc/tls.crt" 2>/dev/null
}

start_workers() {
    export AIPASS_SOCKET=$DIR/gw.sock AIPASS_PROGRAM=$AIPASS_BUILD/aipass.fcgi AIPASS_CONF=$CONF AIPASS_PIDS=$DIR/workers.pid AIPASS_USER=
    "$AIPASS_ROOT/etc/spawn-fcgi.sh" || return 1
    # What the groups of a real host allow.
    chmod 666 "$DIR/gw.sock"
    RESTART="'$AIPASS_ROOT/etc/spawn-fcgi.sh' --restart && chmod 666 '$DIR/gw.sock'"
}

start_lighttpd() {
    write_conf
    mkdir "$DIR/run" && chmod 700 "$DIR/run"
    cat >"$DIR/lighttpd.conf" <<CONF
server.bind = "127.0.0.1"
server.port = $PORT
server.errorlog = "$DIR/server.log"
server.document-root = "$PAGES"
var.aipass_program = "$AIPASS_BUILD/aipass.fcgi"
var.aipass_conf    = "$CONF"
var.aipass_run     = "$DIR/run"
var.aipass_errors  = "$AIPASS_ROOT/etc/lighttpd-errors/"
var.aipass_htdocs  = "$PAGES"
include "$AIPASS_ROOT/etc/lighttpd.conf"
${1:-}
CONF
    stack_start server lighttpd -D -f "$DIR/lighttpd.conf"
    SERVER_PID=$!
    # One after the other: lighttpd starts a successor when a worker has ended.
    RESTART="for p in \$(cat /proc/$SERVER_PID/task/$SERVER_PID/children); do kill -TERM \$p; done"
}
start_lighttpd_tls() {
    make_certificate
    start_lighttpd "var.aipass_certificate = \"$STACK_DIR/etc/tls.crt\"
var.aipass_certificate_key = \"$STACK_DIR/etc/tls.key\"
include \"$AIPASS_ROOT/etc/lighttpd-tls.conf\""
}

# apache MODULES INCLUDES... - a server of its own with what Debian would have enabled.
start_apache() {
    local modules=$1 module
    shift
    {
        echo "ServerRoot $DIR
PidFile $DIR/apache.pid
Listen 127.0.0.1:$PORT
ServerName localhost
ErrorLog $DIR/server.log
Mutex file:$DIR default
LoadModule mpm_event_module $MODULES/mod_mpm_event.so
StartServers 1
ServerLimit 8
ThreadLimit 64
ThreadsPerChild 64
MaxRequestWorkers 512
MinSpareThreads 64
MaxSpareThreads 512
Define AIPASS_SOCKET \"$DIR/gw.sock\"
Define AIPASS_PROGRAM \"$AIPASS_BUILD/aipass.fcgi\"
Define AIPASS_CONF \"$CONF\"
Define AIPASS_HTDOCS \"$PAGES\"
Define AIPASS_ERRORS \"$AIPASS_ROOT/etc/lighttpd-errors\"
Define AIPASS_APACHE \"$AIPASS_ROOT/etc/apache\"
Define AIPASS_CERTIFICATE \"$STACK_DIR/etc/tls.crt\"
Define AIPASS_CERTIFICATE_KEY \"$STACK_DIR/etc/tls.key\"
TypesConfig /dev/null"
        for module in authz_core dir mime headers rewrite alias env setenvif filter reqtimeout $modules; do
            echo "LoadModule ${module}_module $MODULES/mod_$module.so"
        done
        printf '%s\n' "$@"
    } >"$DIR/apache.conf"
    # Apache will not run as root: then it, and what it starts, is www-data.
    local as=()
    if [ "$(id -u)" = 0 ]; then
        as=(setpriv --reuid=www-data --regid=www-data --clear-groups --)
        cp "$STACK_DIR/etc/aipass.cnf" "$STACK_DIR/etc/secret.key" "$DIR"
        sed -i -e "s|^db_option_file .*|db_option_file = $DIR/aipass.cnf|" -e "s|^secret_key_file .*|secret_key_file = $DIR/secret.key|" "$CONF"
        chown -R www-data:www-data "$DIR"
        chmod 711 "$STACK_DIR/etc" && [ ! -e "$STACK_DIR/etc/tls.key" ] || chmod 644 "$STACK_DIR/etc/tls.key"
        : >"$STACK_DIR/log/server.log"
    fi
    stack_start server "${as[@]}" apache2 -DFOREGROUND -f "$DIR/apache.conf"
    SERVER_PID=$!
}
start_apache_proxy() {
    write_conf
    start_workers && start_apache "proxy proxy_fcgi" "Include \"$AIPASS_ROOT/etc/apache/aipass-proxy-fcgi.conf\""
}
start_apache_tls() {
    write_conf
    make_certificate
    start_workers && start_apache "proxy proxy_fcgi socache_shmcb ssl http2" "Include \"$AIPASS_ROOT/etc/apache/aipass-proxy-fcgi.conf\"" "Include \"$AIPASS_ROOT/etc/apache/aipass-tls.conf\""
}
start_apache_fcgid() {
    write_conf 'db_connections_max = 1'
    start_apache fcgid "FcgidIPCDir $DIR/fcgid" "FcgidProcessTableFile $DIR/fcgid_shm" "Include \"$AIPASS_ROOT/etc/apache/aipass-fcgid.conf\"" &&
        RESTART="kill -USR1 $SERVER_PID"
}
# A customer's home: nothing but the files in the web root is theirs to set.
start_apache_cgi() {
    write_conf 'db_connections_max = 1'
    mkdir -p "$DIR/public_html"
    cp -r "$PAGES/." "$DIR/public_html"
    cp "$AIPASS_ROOT/etc/apache/htaccess" "$DIR/public_html/.htaccess"
    printf '#!/bin/sh\nexec %s --config %s\n' "$AIPASS_BUILD/aipass.fcgi" "$CONF" >"$DIR/public_html/aipass.cgi"
    chmod 755 "$DIR/public_html/aipass.cgi"
    start_apache cgid "ScriptSock $DIR/cgid.sock" "DocumentRoot $DIR/public_html" "<Directory $DIR/public_html>
AllowOverride All
Require all granted
</Directory>" && RESTART="kill -USR1 $SERVER_PID"
}

start_nginx() {
    write_conf
    start_workers || return 1
    cat >"$DIR/nginx.conf" <<CONF
daemon off;
pid $DIR/nginx.pid;
error_log $DIR/server.log;
$([ "$(id -u)" != 0 ] || echo "user $USER_NAME;")
worker_processes 1;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $DIR/body;
    fastcgi_temp_path $DIR/fastcgi;
    proxy_temp_path $DIR/proxy;
    uwsgi_temp_path $DIR/uwsgi;
    scgi_temp_path $DIR/scgi;
    server {
        listen 127.0.0.1:$PORT ${1:-};
        set \$aipass_htdocs $PAGES;
        set \$aipass_errors $AIPASS_ROOT/etc/lighttpd-errors;
        set \$aipass_socket unix:$DIR/gw.sock;
        ${2:-}
        include $AIPASS_ROOT/etc/nginx/aipass.conf;
    }
}
CONF
    stack_start server nginx -c "$DIR/nginx.conf" -p "$DIR"
    SERVER_PID=$!
}
start_nginx_tls() {
    make_certificate
    start_nginx 'ssl http2' "ssl_certificate $STACK_DIR/etc/tls.crt; ssl_certificate_key $STACK_DIR/etc/tls.key; include $AIPASS_ROOT/etc/nginx/aipass-tls.conf;"
}

# What systemd does for the socket unit: the listening socket as descriptor 0.
start_inetd() {
    write_conf
    stack_start inetd systemd-socket-activate --inetd --listen="$DIR/gw.sock" "$AIPASS_BUILD/aipass.fcgi" --config "$CONF"
    INETD_PID=$!
    stack_until 50 test -S "$DIR/gw.sock" || return 1
    chmod 666 "$DIR/gw.sock"
    start_workers() { :; }
    start_nginx
}
INETD_PID=''

# ---- the run ----

server_is_up() { [ "$(curl -sk -o /dev/null -m 5 -w '%{http_code}' "$SCHEME://127.0.0.1:$PORT/readyz")" = 200 ]; }

server_is_up_or_dead() { server_is_up || stack_is_dead "$SERVER_PID"; }

h2_check() {
    local got
    got=$(curl -sk --http2 -m 20 -o /dev/null -w '%{http_version} %{http_code} %{time_starttransfer}' -H "Authorization: Bearer $(<"$STACK_DIR/etc/api.key")" "https://127.0.0.1:$PORT/v1/selftest?events=3")
    if [[ $got == "2 200 0.0"* ]] || [[ $got == "2 200 0.1"* ]]; then
        PASSED=$((PASSED + 1)) && echo "PASS $1 http2: $got"
    else
        FAILED=$((FAILED + 1)) && echo "FAIL $1 http2: $got"
    fi
}

stop_host() {
    stack_end "$SERVER_PID"
    [ ! -e "$DIR/workers.pid" ] || "$AIPASS_ROOT/etc/spawn-fcgi.sh" --stop
    stack_end "$INETD_PID"
    SERVER_PID='' INETD_PID=''
}

# host NAME FUNCTION CHECKS... - starts it, asks, stops it.
host() {
    local name=$1 start=$2 options=() counts log
    shift 2
    SCHEME=http RESTART=''
    [[ $name != *-tls ]] || { SCHEME=https && options+=(--tls); }
    free_port
    DIR=$STACK_RUN/$name
    mkdir -p "$DIR"
    log=$DIR/probe.log
    "$start" && stack_until 200 server_is_up_or_dead && server_is_up || {
        FAILED=$((FAILED + 1))
        echo "FAIL $name did not start"
        tail -n 10 "$DIR/server.log" "$STACK_DIR/log/server.log" "$DIR/gateway.log" 2>/dev/null
        stop_host
        return
    }
    [[ $name != *-tls ]] || h2_check "$name"
    [ -z "$SHORT" ] || options+=(--short)
    python3 "$AIPASS_ROOT/tests/hosts/probe.py" --port "$PORT" --key-file "$STACK_DIR/etc/api.key" --log "$DIR/gateway.log" --conf "$CONF" --host "$name" \
        --restart "${RESTART:-true}" "${options[@]}" "$@" 2>&1 | tee "$log" | grep --line-buffered -E '^(PASS|FAIL|Trace|[A-Za-z]*Error)'
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1) || counts="0 passed, 1 failed"
    read -r passed _ failed _ <<<"$counts"
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
    stop_host
}

seed() {
    stack_sql -e "INSERT INTO models (name) VALUES ('demo-model');
         INSERT INTO prices (model_id, unit, amount) SELECT id, 'input_token', 1 FROM models UNION ALL SELECT id, 'output_token', 2 FROM models;
         INSERT INTO channels (name, base_url, allow_private) VALUES ('one', '$STACK_PROVIDER_URL/v1', TRUE);
         INSERT INTO channel_keys (channel_id, secret) SELECT id, 'provider-key' FROM channels;
         INSERT INTO channel_models (channel_id, model_id) SELECT c.id, m.id FROM channels c, models m;
         INSERT INTO accounts (name) VALUES ('tester'); INSERT INTO ledger (account_id, kind, amount) SELECT id, 'recharge', 5000 FROM accounts;"
    (umask 077 && "$AIPASS_BUILD/aipassctl" key create tester --config "$STACK_DIR/etc/owner.conf" 2>/dev/null >"$STACK_DIR/etc/api.key")
}

cleanup() {
    trap '' INT TERM HUP
    local dir=$STACK_DIR
    [ -z "$DIR" ] || stop_host
    stack_stop
    [ -z "$dir" ] || [ "$FAILED" != 0 ] || rm -rf "$dir"
    [ "$FAILED" = 0 ] || [ -z "$dir" ] || echo "kept: $dir"
}

wanted() { [ ${#HOSTS[@]} = 0 ] || [[ " ${HOSTS[*]} " == *" $1 "* ]]; }

main() {
    local common=(headers stream pages documentation body smuggling)
    local all=("${common[@]}" chunked slash gone too_large silence slow_upload crowd slow_reader)
    [ "${1:-}" != --short ] || { SHORT=yes && shift; }
    HOSTS=("$@")
    trap cleanup EXIT
    stack_init "$AIPASS_BUILD/tmp/hosts.$$" && stack_start_database && stack_migrate && stack_start_provider && seed || exit 1
    stack_root_sql -e 'SET GLOBAL max_connections = 1000'
    # Another user of the group connects to the socket.
    chmod 711 "$STACK_DIR" "$STACK_RUN"
    if [ -n "$SHORT" ]; then
        host lighttpd start_lighttpd "${common[@]}" gone kill9 restart
        host apache-proxy start_apache_proxy headers stream gone documentation smuggling
        host nginx start_nginx headers stream gone documentation smuggling
        host apache-fcgid start_apache_fcgid headers stream smuggling
        host apache-cgi start_apache_cgi "${common[@]}"
    else
        ! wanted lighttpd || host lighttpd start_lighttpd "${all[@]}" kill9 restart
        ! wanted apache-proxy || host apache-proxy start_apache_proxy "${all[@]}" kill9 restart
        ! wanted nginx || host nginx start_nginx "${all[@]}" kill9 restart
        ! wanted apache-fcgid || host apache-fcgid start_apache_fcgid "${all[@]}" kill9 restart
        ! wanted apache-cgi || host apache-cgi start_apache_cgi "${common[@]}" chunked gone too_large silence slow_upload crowd slow_reader kill9 restart
        ! wanted lighttpd-tls || host lighttpd-tls start_lighttpd_tls headers stream
        ! wanted apache-tls || host apache-tls start_apache_tls headers stream
        ! wanted nginx-tls || host nginx-tls start_nginx_tls headers stream
        ! wanted inetd || host inetd start_inetd headers stream
    fi
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

main "$@"
