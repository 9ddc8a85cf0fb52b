#!/bin/bash
# tests/install/inside.sh build|package|bundle VERSION - what is tested inside a chroot; /test holds what it needs. run.sh calls it.
# Prints PASS and FAIL lines; the last line is 'N passed, N failed'.
set -uo pipefail

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
VERSION=$2 PASSED=0 FAILED=0 PIDS=() KEY='' APACHE='' DB='' PORT=$((10000 + RANDOM % 10000))

check() {
    local name=$1
    shift
    if "$@" >/tmp/check.out 2>&1; then
        PASSED=$((PASSED + 1)) && echo "PASS $name"
    else
        FAILED=$((FAILED + 1)) && echo "FAIL $name" && tail -n 20 /tmp/check.out | sed 's/^/    /'
    fi
}

until_ok() { # TENTHS COMMAND...
    local left=$1
    shift
    until "$@"; do
        ((left-- > 0)) || return 1
        sleep 0.1
    done
}
same() { [ "$1" = "$2" ] || { printf 'got: %s\nnot: %s\n' "$1" "$2" && return 1; }; }
has_none_of() {
    local program
    for program in "$@"; do
        ! command -v "$program" || return 1
    done
}
background() { setsid "$@" </dev/null >>/tmp/background.log 2>&1 & PIDS+=($!); }
# files - every file and link but those that a test makes.
files() { find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /test -o -path /src -o -path /tmp \) -prune -o ! -type d -print | sort; }

# ---- from the tarball: build, install, uninstall, package ----

SRC=/src/aipass-$VERSION
builds_from_the_tarball() {
    mkdir -p /src && tar -C /src -xzf "/test/aipass-$VERSION.tar.gz" && cd "$SRC" && make -j2 && build/aipassctl --version | grep -F "$VERSION"
}
there_is_no_network() { ! (: </dev/tcp/127.0.0.1/9) 2>/dev/null && [ -z "$(grep -v '^ *lo:' /proc/net/dev | sed 1,2d)" ]; }
# install_leaves_nothing PROGRAM_DIR MAKE_VARIABLE... - installed it works, and uninstall takes every file back.
install_leaves_nothing() {
    local bin=$1 page
    shift
    cd "$SRC" && files >/tmp/before && make install "$@" && files >/tmp/between || return 1
    "$bin/aipassctl" --version && [ "$(comm -13 /tmp/before /tmp/between | wc -l)" -gt 60 ] || return 1
    for page in man1/aipassctl.1 man5/aipass.conf.5 man7/aipass-schema.7 man8/aipass.fcgi.8 htdocs/docs/index.html sql/0001_create_accounts.sql; do grep -q "/$page\$" /tmp/between || { echo "no $page" && return 1; }; done
    make uninstall "$@" && files >/tmp/after && diff /tmp/before /tmp/after && [ -z "$(find / -xdev \( -path /proc -o -path /src -o -path /test \) -prune -o -type d -name '*aipass*' -print)" ]
}
# What is installed elsewhere names its own places.
paths_follow_the_prefix() {
    cd "$SRC" && make install PREFIX=/opt/aipass DESTDIR=/tmp/staged && /tmp/staged/opt/aipass/bin/aipassctl --version && ! grep -rl '/usr/local' /tmp/staged/opt/aipass/share/aipass/{apache,nginx,systemd,cron.d,lighttpd.conf,spawn-fcgi.sh} &&
        grep -q '^ExecStart=/opt/aipass/libexec/aipass.fcgi' /tmp/staged/etc/systemd/system/aipass@.service && make uninstall PREFIX=/opt/aipass DESTDIR=/tmp/staged && [ -z "$(find /tmp/staged ! -type d)" ]
}
the_package_is_lintian_clean() { cd "$SRC" && make deb && cp build/*.deb /test/out && ls -l /test/out; }

inside_build() {
    check "build: no Node, Python, lowdown or git here" has_none_of node nodejs npm python python3 lowdown highlight git
    check "build: no network here" there_is_no_network
    check "build: the tarball builds" builds_from_the_tarball
    check "build: make install, make uninstall into /usr/local" install_leaves_nothing /usr/local/bin
    check "build: make install, make uninstall with an empty prefix" install_leaves_nothing /bin PREFIX=
    check "build: make install, make uninstall into /opt/aipass, by DESTDIR" paths_follow_the_prefix
    check "build: make deb, clean for lintian" the_package_is_lintian_clean
}

# ---- a host of one's own: MariaDB, the package ----

database_is_up() { mariadb -e 'SELECT 1' >/dev/null 2>&1; }
start_database() {
    id mysql >/dev/null 2>&1 || adduser --quiet --system --group --no-create-home --home /nonexistent mysql
    install -d -o mysql -g mysql /run/mysqld /var/lib/mysql
    [ -d /var/lib/mysql/mysql ] || mariadb-install-db --user=mysql --skip-test-db --auth-root-authentication-method=socket >/tmp/install-db.log 2>&1 || return 1
    background mariadbd --user=mysql --skip-networking --innodb-buffer-pool-size=32M
    until_ok 300 database_is_up || { tail -n 10 /tmp/background.log && return 1; }
}
start_provider() {
    rm -f /tmp/provider.port
    background /test/provider --port 0 --port-file /tmp/provider.port
    until_ok 100 test -s /tmp/provider.port
}
free_port() { while (: <"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do PORT=$((PORT + 1)); done; }
answers() { [ "$(curl -s -o /tmp/answer -m 20 -w '%{http_code}' "http://127.0.0.1:$PORT$1")" = 200 ]; }
# goods CTL... - an account with money and a key, and a model that is sold, by the admin's commands alone; the key in $KEY.
goods() {
    echo provider-key | "$@" channel add one "http://127.0.0.1:$(cat /tmp/provider.port)/v1" --private --key >/dev/null && "$@" model add demo-model >/dev/null && "$@" price set demo-model input_token 1 >/dev/null &&
        "$@" price set demo-model output_token 2 >/dev/null && "$@" channel serve one demo-model && "$@" account create ann >/dev/null && "$@" recharge add ann 5 --yes >/dev/null && KEY=$("$@" key create ann)
}
chat() { # STREAM
    curl -s -m 30 -o /tmp/answer -w '%{http_code}' -H "Authorization: Bearer $KEY" -d "{\"model\":\"demo-model\",\"stream\":$1,\"max_tokens\":50,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}" "http://127.0.0.1:$PORT/v1/chat/completions"
}
chats() { same "$(chat false)" 200 && grep -q '"choices"' /tmp/answer && same "$(chat true)" 200 && grep -q '^data: \[DONE\]' /tmp/answer || { cat /tmp/answer && return 1; }; }
rows_are_two() { [ "$(mariadb "$DB" -BNe "SELECT COUNT(*) FROM usage_log WHERE status = 'ok' AND cost > 0")" = 2 ]; }
# No finding is an error, and there is no warning but that this is not https.
doctor_is_content() {
    echo "$KEY" >/tmp/key && "$@" doctor --url "http://127.0.0.1:$PORT" --key-file /tmp/key --silence 3 --output tsv >/tmp/doctor 2>/tmp/doctor.err
    ! awk -F'\t' '$2 == "error" || ($2 == "warning" && $1 != "tls")' /tmp/doctor | grep . || { cat /tmp/doctor.err && return 1; }
    [ "$(wc -l </tmp/doctor)" -gt 15 ]
}

own() { aipassctl "$@" --config /etc/aipass/aipass.conf; }
package_installs() { dpkg -i /test/out/aipass_*.deb /test/out/aipass-doc_*.deb && aipassctl --version && [ "$(dpkg-query -W -f '${Status}' aipass)" = 'install ok installed' ]; }
nothing_is_enabled() {
    ! pgrep -f 'aipass[.]fcgi' 2>/dev/null && ! find /etc/systemd /etc/lighttpd/conf-enabled /etc/nginx/sites-enabled /etc/apache2 /etc/rc?.d -name '*aipass*' 2>/dev/null | grep . &&
        [ -e /lib/systemd/system/aipass.socket ] && same "$(sh -c "$(sed -n 's/^[0-9*].* root *//p' /etc/cron.d/aipass)" 2>&1)" ''
}
purge_leaves_nothing() {
    dpkg --purge aipass aipass-doc && files | grep -vE '^/(var/lib/dpkg|var/log|var/cache|etc/(passwd|group|shadow|gshadow)-?$|etc/[.]pwd[.]lock)' | diff /tmp/pristine - && ! id aipass && [ ! -e /var/log/aipass ] && [ ! -e /var/spool/aipass ] && [ ! -e /etc/aipass ]
}
# What README.md says, as it says it: its SQL, its files, its commands.
database_is_made_by_the_readme() {
    local readme=/usr/share/doc/aipass-doc/README.md
    [ -e $readme ] || { zcat $readme.gz >/tmp/README.md && readme=/tmp/README.md; }
    awk '/^```sql root/ { on = 1; next } /^```/ { on = 0 } on' $readme >/tmp/root.sql && grep -q 'GRANT' /tmp/root.sql && mariadb </tmp/root.sql || return 1
    (umask 027 && printf '[aipass]\nsocket = /run/mysqld/mysqld.sock\ndatabase = aipass\nuser = aipass\npassword = password two\n' >/etc/aipass/aipass.cnf && chgrp www-data /etc/aipass/aipass.cnf)
    (umask 077 && sed -e 's/user = aipass/user = aipass_owner/' -e 's/password two/password one/' /etc/aipass/aipass.cnf >/etc/aipass/owner.cnf)
    printf 'db_option_file = /etc/aipass/aipass.cnf\nspool_dir = /var/spool/aipass\nsecret_key_file = /etc/aipass/secret.key\nlog = file:/var/log/aipass/gateway.log\n' >/etc/aipass/aipass.conf
    echo 'db_option_file = /etc/aipass/owner.cnf' >/etc/aipass/owner.conf
    (umask 027 && od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >/etc/aipass/secret.key && chgrp www-data /etc/aipass/secret.key)
    aipassctl migrate --config /etc/aipass/owner.conf | grep 'files applied'
}
gateway_answers_behind_lighttpd() {
    free_port
    # lighttpd starts the gateway: it runs as the web server's user.
    chown www-data:www-data /var/spool/aipass /var/log/aipass && install -d -m 700 -o www-data -g www-data /var/lib/aipass /var/lib/aipass/run
    cat >/tmp/lighttpd.conf <<CONF
server.bind = "127.0.0.1"
server.port = $PORT
server.username = "www-data"
server.groupname = "www-data"
server.document-root = "/usr/share/aipass/htdocs"
server.errorlog = "/tmp/lighttpd.log"
var.aipass_program = "/usr/libexec/aipass.fcgi"
var.aipass_conf    = "/etc/aipass/aipass.conf"
var.aipass_run     = "/var/lib/aipass/run"
var.aipass_errors  = "/usr/share/aipass/lighttpd-errors/"
var.aipass_htdocs  = "/usr/share/aipass/htdocs"
include "/usr/share/aipass/lighttpd.conf"
CONF
    background lighttpd -D -f /tmp/lighttpd.conf
    until_ok 200 answers /readyz || { cat /tmp/answer /tmp/lighttpd.log /var/log/aipass/gateway.log && return 1; }
    answers /healthz && answers /docs/ && DB=aipass && goods own && chats && until_ok 100 rows_are_two
}
upkeep_is_silent() { same "$(sh -c "$(sed -n 's/^[0-9*].* root *//p' /etc/cron.d/aipass)" 2>&1)" '' && same "$(own ledger check)" OK; }
purge_leaves_what_an_admin_made() {
    kill "${PIDS[-1]}" && until_ok 200 gateways_are_gone && dpkg --purge aipass aipass-doc && [ ! -e /usr/bin/aipassctl ] || return 1
    same "$(find /etc/aipass -type f -printf '%f\n' | sort | tr '\n' ' ')" 'aipass.cnf owner.cnf owner.conf secret.key ' && [ ! -e /var/log/aipass ] && mariadb aipass -BNe 'SELECT COUNT(*) FROM usage_log'
}
gateways_are_gone() { ! grep -lqs 'aipass[.]fcgi' /proc/[0-9]*/cmdline; }

inside_package() {
    check "package: no compiler, Node or Python here" has_none_of gcc cc make node nodejs npm python python3
    files | grep -vE '^/(var/lib/dpkg|var/log|var/cache|etc/(passwd|group|shadow|gshadow)-?$|etc/[.]pwd[.]lock)' >/tmp/pristine
    check "package: dpkg -i" package_installs
    check "package: nothing is enabled silently" nothing_is_enabled
    check "package: purge leaves nothing" purge_leaves_nothing
    check "package: MariaDB starts" start_database
    start_provider
    check "package: dpkg -i again" package_installs
    check "package: the database, its users and files as README.md has them; aipassctl migrate" database_is_made_by_the_readme
    check "package: the gateway answers behind lighttpd" gateway_answers_behind_lighttpd
    check "package: doctor finds nothing but that it is not https" doctor_is_content own
    check "package: its line for cron is silent, the books agree" upkeep_is_silent
    check "package: purge leaves what an admin made" purge_leaves_what_an_admin_made
}

# ---- a shared host: a home, CGI and .htaccess ----

CUSTOMER=/home/customer HERE=/home/customer/aipass-$VERSION-linux-$(uname -m)
# as COMMAND... - as the customer, with nothing but what a login gives.
as() { setpriv --reuid=customer --regid=customer --clear-groups env -i HOME=$CUSTOMER PATH="$PATH" USER=customer "$@"; }
ctl() { as "$HERE/aipassctl" "$@" --config "$HERE/aipass.conf"; }
unpacks_in_a_home() {
    adduser --quiet --disabled-password --gecos '' --home $CUSTOMER customer && chmod 711 $CUSTOMER && as mkdir $CUSTOMER/public_html && as tar -C $CUSTOMER -xzf "/test/aipass-$VERSION-linux-$(uname -m).tar.gz" &&
        as sh -c "cd $HERE && ./install.sh ~/public_html" && grep -q 'or later' "$HERE/INSTALL" && as "$HERE/aipassctl" --version
}
only_glibc_is_the_hosts() {
    ! ldd "$HERE/aipass.fcgi" "$HERE/aipassctl" | grep -v ':$' | grep -vF "$HERE/lib/" | grep -vE '^\s*(linux-vdso|/lib64/ld-linux|lib(c|m|dl|pthread|rt|resolv)[.]so)' | grep . && ! ldd "$HERE/aipass.fcgi" "$HERE/aipassctl" | grep 'not found'
}
# Where Debian's certificates are not, the library built there is told of the host's own.
authorities_of_another_system_are_found() {
    mkdir -p /etc/pki/tls/certs && echo x >/etc/pki/tls/certs/ca-bundle.crt && mkdir -p /etc/ssl/certs && mv /etc/ssl/certs /etc/ssl/hidden && as sh -c "cp -r $HERE ~/second && rm -f ~/second/aipass.conf && mkdir ~/web && ~/second/install.sh ~/web" || return 1
    mv /etc/ssl/hidden /etc/ssl/certs
    rm -r /etc/pki && same "$(sed -n 's/^tls_ca_file *= *//p' $CUSTOMER/second/aipass.conf)" /etc/pki/tls/certs/ca-bundle.crt && ! grep -q '^tls_ca_file' "$HERE/aipass.conf"
}
# What a panel gives: a database and a user with rights to its tables; no views, no other database.
database_of_a_panel() {
    mariadb -e "CREATE DATABASE customer_ai; CREATE USER customer_ai@localhost IDENTIFIED BY 'panel'; GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON customer_ai.* TO customer_ai@localhost" &&
        as sed -i -e 's/^database .*/database = customer_ai/' -e 's/^user .*/user = customer_ai/' -e 's/^password .*/password = panel/' "$HERE/aipass.cnf" && ctl migrate | grep 'files applied'
}
# apache MODULES CONF... - as the customer, which is what suexec is for.
apache() {
    local module modules=$1
    shift
    {
        printf '%s\n' "ServerRoot /tmp" "PidFile $CUSTOMER/apache.pid" "Listen 127.0.0.1:$PORT" "ServerName localhost" "ErrorLog $CUSTOMER/error.log" "Mutex file:$CUSTOMER default" "TypesConfig /dev/null" \
            "LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so"
        for module in authz_core dir mime headers rewrite alias env setenvif filter $modules; do echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"; done
        printf '%s\n' "DocumentRoot $CUSTOMER/public_html" "<Directory $CUSTOMER/public_html>" 'AllowOverride All' 'Require all granted' '</Directory>' "$@"
    } >/tmp/apache.conf
    background setpriv --reuid=customer --regid=customer --clear-groups apache2 -DFOREGROUND -f /tmp/apache.conf
    APACHE=$!
    until_ok 200 answers /readyz || { cat /tmp/answer $CUSTOMER/error.log "$HERE/gateway.log" 2>/dev/null && return 1; }
}
it_answers_as_cgi() { free_port && DB=customer_ai && apache cgid "ScriptSock $CUSTOMER/cgid.sock" && answers /healthz && goods ctl && chats && until_ok 100 rows_are_two; }
pages_are_served() { answers / && answers /docs/ && answers /docs/admin && ! answers /aipass.conf && ! answers /.htaccess && ! answers /aipass.cgi; }
it_answers_under_fcgid() {
    kill "$APACHE" && until_ok 100 test ! -e $CUSTOMER/apache.pid
    free_port
    as sed -i 's/SetHandler cgi-script/SetHandler fcgid-script/' $CUSTOMER/public_html/.htaccess
    apache fcgid "FcgidIPCDir $CUSTOMER/fcgid" "FcgidProcessTableFile $CUSTOMER/fcgid_shm" && same "$(chat false)" 200 && same "$(chat true)" 200
}
upkeep_of_a_customer_is_silent() { same "$(ctl upkeep 2>&1)" '' && same "$(ctl ledger check)" OK; }

inside_bundle() {
    check "bundle: no compiler, Node or Python here" has_none_of gcc cc make node nodejs npm python python3
    check "bundle: MariaDB starts" start_database
    start_provider
    check "bundle: unpacked in a home, install.sh" unpacks_in_a_home
    check "bundle: the certificates of another system are found" authorities_of_another_system_are_found
    check "bundle: only glibc is the host's" only_glibc_is_the_hosts
    check "bundle: aipassctl migrate as the user of a panel" database_of_a_panel
    check "bundle: it answers as CGI by .htaccess alone" it_answers_as_cgi
    check "bundle: pages, and no secrets" pages_are_served
    check "bundle: doctor finds nothing but that it is not https" doctor_is_content ctl
    check "bundle: upkeep is silent, the books agree" upkeep_of_a_customer_is_silent
    check "bundle: it answers under mod_fcgid" it_answers_under_fcgid
}

"inside_$1"
for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null; done
echo "$PASSED passed, $FAILED failed"
[ "$FAILED" = 0 ]
