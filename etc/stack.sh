# shellcheck shell=bash disable=SC2034
# A whole installation in one directory: a private MariaDB, the provider simulator, and lighttpd with the gateway.
#
# Sourced by etc/run.sh and by tests. The caller sets AIPASS_ROOT (the checkout) and may set AIPASS_BUILD (its build folder), then:
#
#   stack_init DIR            makes DIR with etc, log, data, spool, run; refuses a second user of it
#   stack_clear               forgets all that an earlier run left in it
#   stack_start_database      creates the database at the first start; its users and option files each time
#   stack_migrate             brings the schema up to date
#   stack_start_provider      the simulator, on a port that is free
#   stack_start_web PORT [exact]   lighttpd and the gateway on PORT, or unless exact on the next that is free
#   stack_wait_child          until one of these ends by itself
#   stack_stop                ends them in order; safe at any time, any number of times
#
# Then STACK_URL, STACK_PROVIDER_URL, STACK_ADMIN_CNF (rights of an admin: rows, not tables) and STACK_PORT are set.
# Servers are started by the calling shell itself, never by a subshell of it: they die with their parent (kill -9 included).

PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

: "${AIPASS_ROOT:?the checkout}"
AIPASS_BUILD=${AIPASS_BUILD:-$AIPASS_ROOT/build}

STACK_SOCKET_PATH_MAX=107 # sockaddr_un
STACK_LOG_LINES=15
STACK_START_TENTHS=600    # how long a server may take to come up
STACK_STOP_TENTHS=150     # ... and to go down, before SIGKILL
STACK_PORTS=50            # tried one after the other

STACK_DIR='' STACK_RUN='' STACK_PORT='' STACK_URL='' STACK_PROVIDER_URL='' STACK_ADMIN_CNF=''
STACK_DATABASE_PID='' STACK_PROVIDER_PID='' STACK_WEB_PID='' STACK_HAS_OWN_RUN=''

# stack_fail MESSAGE [LOG] - tell, with the log's last lines.
stack_fail() {
    {
        echo
        echo "error: $1"
        if [ -n "${2:-}" ]; then
            echo "  $2${3:+ }${3:-} ends with:"
            tail -n "$STACK_LOG_LINES" "$2" 2>/dev/null | sed 's/^/    /'
        fi
    } >&2
    return 1
}

# stack_until TENTHS COMMAND... - try each tenth of a second until it succeeds.
stack_until() {
    local left=$1
    shift
    until "$@"; do
        ((left-- > 0)) || return 1
        sleep 0.1
    done
}

stack_is_alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }
stack_is_gone() { ! [ -e "/proc/$1" ]; }
stack_is_dead() { ! stack_is_alive "$1"; }
stack_is_listening() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Random bytes in hex, without a program that might be missing.
stack_random() { od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }

# ---- the directory ----

stack_init() {
    mkdir -p "$1"
    STACK_DIR=$(cd "$1" && pwd -P)
    if [[ $STACK_DIR$AIPASS_ROOT$AIPASS_BUILD =~ [[:space:]\"\'\\] ]]; then
        stack_fail "lighttpd takes no path with blanks or quotes: $STACK_DIR"
        return 1
    fi
    exec {STACK_LOCK}>"$STACK_DIR/lock"
    if ! flock -n "$STACK_LOCK"; then
        STACK_DIR=''
        stack_fail "$1 is in use by another run (process $(cat "$1/lock.pid" 2>/dev/null)); stop it or set VAR=another directory"
        return 1
    fi
    echo $$ >"$STACK_DIR/lock.pid"
    stack_make_dirs
    stack_make_run
    STACK_ADMIN_CNF=$STACK_DIR/etc/admin.cnf
}

stack_make_dirs() { (umask 077 && mkdir -p "$STACK_DIR"/{etc,log,data,spool,tmp}); }

stack_clear() {
    rm -rf "${STACK_DIR:?}"/{etc,log,data,spool,tmp,key}
    stack_make_dirs
}

# Where sockets are: run/ in the directory, or when that path is too long for a socket a directory that lives as long as the run.
stack_make_run() {
    STACK_RUN=$STACK_DIR/run
    if ((${#STACK_RUN} + 20 > STACK_SOCKET_PATH_MAX)); then
        STACK_RUN=$(mktemp -d "${TMPDIR:-/tmp}/aipass.XXXXXXXX")
        STACK_HAS_OWN_RUN=yes
    fi
    (umask 077 && mkdir -p "$STACK_RUN")
}

# stack_start NAME COMMAND... - in the background with log/NAME.log, in a session of its own so that Ctrl-C is ours alone to handle.
# The pid is in $!.
stack_start() {
    local log=$STACK_DIR/log/$1.log
    shift
    setsid setpriv --pdeathsig TERM -- "$@" </dev/null >>"$log" 2>&1 {STACK_LOCK}>&- &
}

# ---- the database ----

stack_root_sql() { mariadb --no-defaults --socket="$STACK_RUN/mariadb.sock" --user=root --batch --skip-column-names "$@"; }
stack_database_answers() { stack_root_sql -e 'SELECT 1' >/dev/null 2>&1; }
stack_database_is_up_or_dead() { stack_database_answers || stack_is_dead "$STACK_DATABASE_PID"; }

# stack_sql [OPTION...] - statements from stdin, as the admin.
stack_sql() { mariadb --defaults-file="$STACK_ADMIN_CNF" --batch --skip-column-names "$@"; }

stack_create_data() {
    local log=$STACK_DIR/log/mariadb-install.log data=$STACK_DIR/data/mariadb
    [ ! -d "$data/mysql" ] || return 0
    rm -rf "$data" "$data.new"
    mariadb-install-db --no-defaults --datadir="$data.new" --tmpdir="$STACK_DIR/tmp" --user="$(id -un)" \
        --auth-root-authentication-method=normal --skip-test-db >"$log" 2>&1 ||
        stack_fail "MariaDB could not create its files" "$log" || return 1
    mv "$data.new" "$data"
}

# One user each for who serves, who administers and who changes tables. Passwords are new at each start.
stack_create_users() {
    local user rights password
    for user in aipass admin owner; do
        password=$(stack_random 16)
        rights='SELECT, INSERT, UPDATE, DELETE'
        [ "$user" != owner ] || rights='ALL PRIVILEGES'
        cat <<SQL
CREATE USER IF NOT EXISTS '$user'@'localhost';
ALTER USER '$user'@'localhost' IDENTIFIED BY '$password';
GRANT $rights ON aipass.* TO '$user'@'localhost';
SQL
        stack_write_option_file "$user" "$password"
    done
}

# [client] is for the SQL prompt, [aipass] for the gateway and aipassctl.
stack_write_option_file() {
    (
        umask 077
        cat >"$STACK_DIR/etc/$1.cnf" <<CNF
[client]
socket = $STACK_RUN/mariadb.sock
user = $1
password = $2
default-character-set = utf8mb4
[mysql]
database = aipass
[aipass]
socket = $STACK_RUN/mariadb.sock
user = $1
password = $2
database = aipass
CNF
    )
}

stack_start_database() {
    local log=$STACK_DIR/log/mariadb.log
    stack_create_data || return 1
    stack_start mariadb mariadbd --no-defaults --user="$(id -un)" --datadir="$STACK_DIR/data/mariadb" \
        --socket="$STACK_RUN/mariadb.sock" --pid-file="$STACK_DIR/mariadb.pid" --tmpdir="$STACK_DIR/tmp" \
        --skip-networking --skip-log-bin --character-set-server=utf8mb4 --innodb-snapshot-isolation=ON \
        --innodb-buffer-pool-size=64M --innodb-log-file-size=32M --local-infile=0
    STACK_DATABASE_PID=$!
    stack_until "$STACK_START_TENTHS" stack_database_is_up_or_dead && stack_database_answers ||
        stack_fail "MariaDB did not start" "$log" || return 1
    { echo 'CREATE DATABASE IF NOT EXISTS aipass CHARACTER SET utf8mb4;' && stack_create_users; } |
        stack_root_sql 2>>"$log" || stack_fail "MariaDB refused to create the database and its users" "$log" || return 1
    stack_write_config
}

# ---- the gateway ----

# The gateway's configuration, and the same with the rights to change tables for aipassctl.
stack_write_config() {
    [ -e "$STACK_DIR/etc/secret.key" ] || (umask 077 && stack_random 32 >"$STACK_DIR/etc/secret.key")
    cat >"$STACK_DIR/etc/aipass.conf" <<CONF
db_option_file   = $STACK_DIR/etc/aipass.cnf
spool_dir        = $STACK_DIR/spool
secret_key_file  = $STACK_DIR/etc/secret.key
log              = file:$STACK_DIR/log/gateway.log
drain_timeout_ms = 3000
${STACK_SETTINGS:-}
CONF
    sed "s|^db_option_file .*|db_option_file = $STACK_DIR/etc/owner.cnf|" "$STACK_DIR/etc/aipass.conf" >"$STACK_DIR/etc/owner.conf"
}

stack_migrate() {
    local log=$STACK_DIR/log/migrate.log
    "$AIPASS_BUILD/aipassctl" migrate --config "$STACK_DIR/etc/owner.conf" >"$log" 2>&1 ||
        stack_fail "the schema could not be brought up to date" "$log"
}

stack_start_provider() {
    local file=$STACK_DIR/provider.port
    rm -f "$file"
    stack_start provider "$AIPASS_BUILD/tests/provider/provider" --port 0 --port-file "$file" --die-with-parent
    STACK_PROVIDER_PID=$!
    stack_until "$STACK_START_TENTHS" stack_provider_is_up_or_dead && [ -s "$file" ] ||
        stack_fail "the demo provider did not start" "$STACK_DIR/log/provider.log" || return 1
    STACK_PROVIDER_URL=http://127.0.0.1:$(<"$file")
}
stack_provider_is_up_or_dead() { [ -s "$STACK_DIR/provider.port" ] || stack_is_dead "$STACK_PROVIDER_PID"; }

# The pages that make docs made; without them the start page still says what is served.
stack_write_lighttpd_config() {
    local pages=$AIPASS_BUILD/htdocs
    [ -d "$pages" ] || pages=$AIPASS_ROOT/htdocs
    cat >"$STACK_DIR/etc/lighttpd.conf" <<CONF
server.bind          = "127.0.0.1"
server.port          = $1
server.document-root = "$pages"
server.errorlog      = "$STACK_DIR/log/lighttpd.log"

var.aipass_program = "$AIPASS_BUILD/aipass.fcgi"
var.aipass_conf    = "$STACK_DIR/etc/aipass.conf"
var.aipass_run     = "$STACK_RUN"
var.aipass_errors  = "$AIPASS_ROOT/etc/lighttpd-errors/"
var.aipass_htdocs  = "$pages"
include "$AIPASS_ROOT/etc/lighttpd.conf"
CONF
}

# stack_try_web PORT - 0: it serves; 1: the port is taken; 2: another failure, told.
stack_try_web() {
    local log=$STACK_DIR/log/lighttpd.log
    ! stack_is_listening "$1" || return 1
    stack_write_lighttpd_config "$1"
    : >"$log"
    rm -f "$STACK_RUN"/{chat,account}-*
    stack_start lighttpd lighttpd -D -f "$STACK_DIR/etc/lighttpd.conf"
    STACK_WEB_PID=$!
    STACK_URL=http://127.0.0.1:$1
    stack_until "$STACK_START_TENTHS" stack_web_is_ready_or_dead || true
    if stack_is_dead "$STACK_WEB_PID"; then
        STACK_WEB_PID=''
        ! grep -q 'Address already in use' "$log" || return 1
        stack_fail "lighttpd did not start" "$log" || return 2
    fi
    stack_web_is_ready || stack_fail_gateway || return 2
    STACK_PORT=$1
}

stack_web_is_ready() { [ "$(curl -s -o "$STACK_DIR/tmp/readyz" -m 5 -w '%{http_code}' "$STACK_URL/readyz")" = 200 ]; }
stack_web_is_ready_or_dead() { stack_is_dead "$STACK_WEB_PID" || stack_web_is_ready; }

stack_fail_gateway() {
    local log=$STACK_DIR/log/gateway.log
    [ -s "$log" ] || log=$STACK_DIR/log/lighttpd.log
    stack_fail "the gateway is not ready: $(head -c 300 "$STACK_DIR/tmp/readyz" 2>/dev/null)" "$log"
}

stack_start_web() {
    local port=$1 last=$(($1 + STACK_PORTS)) rc
    for (( ; port < last; port++)); do
        rc=0
        stack_try_web "$port" || rc=$?
        [ "$rc" = 1 ] || return "$rc"
        if [ "${2:-}" = exact ]; then
            stack_fail "port $port is taken; set PORT=another one"
            return 1
        fi
    done
    stack_fail "no free port from $1 to $((last - 1))"
}

# ---- the end ----

# stack_wait_child - blocks until a server ends; says which. A signal's trap ends the wait as well.
stack_wait_child() {
    wait -n "$STACK_DATABASE_PID" "$STACK_PROVIDER_PID" "$STACK_WEB_PID" || true
    stack_is_alive "$STACK_DATABASE_PID" || stack_fail "MariaDB ended" "$STACK_DIR/log/mariadb.log" || true
    stack_is_alive "$STACK_PROVIDER_PID" || stack_fail "the demo provider ended" "$STACK_DIR/log/provider.log" || true
    stack_is_alive "$STACK_WEB_PID" || stack_fail "lighttpd ended" "$STACK_DIR/log/lighttpd.log" || true
}

# stack_end PID - SIGTERM, then SIGKILL.
stack_end() {
    stack_is_alive "$1" || return 0
    kill -TERM "$1" 2>/dev/null || return 0
    stack_until "$STACK_STOP_TENTHS" stack_is_dead "$1" || kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# lighttpd does not wait for the gateway's processes: the database must stay until they have written what they owe.
stack_end_web() {
    local pid gateways=()
    stack_is_alive "$STACK_WEB_PID" || return 0
    read -ra gateways <"/proc/$STACK_WEB_PID/task/$STACK_WEB_PID/children" || true
    stack_end "$STACK_WEB_PID"
    for pid in "${gateways[@]}"; do
        stack_until "$STACK_STOP_TENTHS" stack_is_gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
    done
}

stack_stop() {
    [ -n "$STACK_DIR" ] || return 0
    stack_end_web
    stack_end "$STACK_PROVIDER_PID"
    stack_end "$STACK_DATABASE_PID"
    STACK_WEB_PID='' STACK_PROVIDER_PID='' STACK_DATABASE_PID=''
    [ -z "$STACK_HAS_OWN_RUN" ] || rm -rf "$STACK_RUN"
    rm -f "$STACK_DIR/lock.pid"
    exec {STACK_LOCK}>&-
    STACK_DIR=''
}
