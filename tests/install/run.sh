#!/bin/bash
# tests/install/run.sh [--short] [build] [package] [bundle] - installs it and takes it back.
#
# --short    make install and make uninstall in a directory of this machine; as in make test
# build      in a Debian 12 with a compiler and no network, Node or Python: make dist's tarball builds, installs, uninstalls, and becomes packages
# package    in a Debian 12 without a compiler: the package, MariaDB, lighttpd
# bundle     there: the bundle in a customer's home, Apache with CGI and .htaccess
#
# The chroots need root and debootstrap; they are kept in build/chroot. Prints PASS and FAIL lines; the last line is 'N passed, N failed'.
set -uo pipefail

AIPASS_ROOT=$(cd "$(dirname "$0")/../.." && pwd -P)
AIPASS_BUILD=${AIPASS_BUILD:-$AIPASS_ROOT/build}
VERSION=$(sed -n 's/^VERSION *:= *//p' "$AIPASS_ROOT/Makefile")
PASSED=0 FAILED=0
BUILD_PACKAGES='build-essential pkg-config libfcgi-dev libcurl4-openssl-dev libmariadb-dev libjson-c-dev libinih-dev libssl-dev libcrypt-dev zlib1g-dev uthash-dev debhelper lintian fakeroot dpkg-dev'
HOST_PACKAGES='mariadb-server-core mariadb-client-core apache2-bin libapache2-mod-fcgid lighttpd curl adduser cron logrotate libcurl4 libfcgi0ldbl libjson-c5 libmariadb3 libinih1'

judge() { # NAME STATUS
    if [ "$2" = 0 ]; then
        PASSED=$((PASSED + 1)) && echo "PASS $1"
    else
        FAILED=$((FAILED + 1)) && echo "FAIL $1" && tail -n 15 "$WORK/log" | sed 's/^/    /'
    fi
}
quiet() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS "$@" >"$WORK/log" 2>&1; }

# ---- without a chroot ----

installed_files() { find "$WORK/root" ! -type d; }
# The installed program, snippet, pages and SQL: nothing of the checkout is used.
serve_what_is_installed() {
    local at=$WORK/root/usr/local
    # shellcheck source=etc/stack.sh
    . "$AIPASS_ROOT/etc/stack.sh"
    trap stack_stop EXIT
    stack_init "$WORK/stack" && stack_start_database && "$at/bin/aipassctl" migrate --config "$STACK_DIR/etc/owner.conf" || return 1
    STACK_PORT=$((20000 + RANDOM % 12000))
    while stack_is_listening "$STACK_PORT"; do STACK_PORT=$((STACK_PORT + 1)); done
    cat >"$STACK_DIR/etc/installed.conf" <<CONF
server.bind = "127.0.0.1"
server.port = $STACK_PORT
server.document-root = "$at/share/aipass/htdocs"
server.errorlog = "$STACK_DIR/log/lighttpd.log"
var.aipass_program = "$at/libexec/aipass.fcgi"
var.aipass_conf    = "$STACK_DIR/etc/aipass.conf"
var.aipass_run     = "$STACK_RUN"
var.aipass_errors  = "$at/share/aipass/lighttpd-errors/"
var.aipass_htdocs  = "$at/share/aipass/htdocs"
include "$at/share/aipass/lighttpd.conf"
CONF
    stack_start lighttpd lighttpd -D -f "$STACK_DIR/etc/installed.conf"
    STACK_WEB_PID=$! STACK_URL=http://127.0.0.1:$STACK_PORT
    stack_until 200 stack_web_is_ready || { tail -n 5 "$STACK_DIR/log/lighttpd.log" && return 1; }
    curl -sf -m 5 "$STACK_URL/healthz" && curl -sf -m 5 "$STACK_URL/" >/dev/null
}
short() {
    cd "$AIPASS_ROOT" || return
    quiet make install B="$AIPASS_BUILD" DESTDIR="$WORK/root"
    judge "install: make install DESTDIR=" $?
    (serve_what_is_installed) >"$WORK/log" 2>&1
    judge "install: what was installed migrates and answers" $?
    quiet make uninstall B="$AIPASS_BUILD" DESTDIR="$WORK/root" && installed_files >"$WORK/log" && [ ! -s "$WORK/log" ]
    judge "install: make uninstall leaves no file" $?
}

# ---- in chroots ----

# base NAME PACKAGES - build/chroot/NAME, made once.
base() {
    [ -d "$AIPASS_BUILD/chroot/$1" ] || {
        echo "making build/chroot/$1"
        # shellcheck disable=SC2086
        "$AIPASS_ROOT/etc/debian-root.sh" "$AIPASS_BUILD/chroot/$1" bookworm $2
    }
}

# enter NAME BASE [OPTION] - inside.sh NAME in a copy of that base which is gone afterwards, with /test; OPTION: of unshare.
# It has processes and mounts of its own: both end with it.
enter() {
    local name=$1 base=$AIPASS_BUILD/chroot/$2 top=$WORK/$1 counts
    mkdir -p "$top"/{upper,work,root}
    cp "$AIPASS_ROOT/tests/install/inside.sh" "$WORK/test"
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child ${3:+"$3"} bash -c '
        set -e
        mount --make-rprivate / && mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
        mkdir -p "$2/root/test" && mount --bind "$3" "$2/root/test"
        mount -t proc proc "$2/root/proc" && mount --rbind /dev "$2/root/dev" && mount -t tmpfs tmpfs "$2/root/run"
        exec chroot "$2/root" /bin/bash /test/inside.sh "$4" "$5"' bash "$base" "$top" "$WORK/test" "$name" "$VERSION" </dev/null 2>&1 | tee "$WORK/$name.log" | grep -vE '^[0-9]+ passed, [0-9]+ failed$'
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$WORK/$name.log" | tail -n 1) || counts='0 passed, 1 failed'
    read -r passed _ failed _ <<<"$counts"
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
}

# The number that README.md names is the one that was measured.
glibc_is_told() {
    local measured
    measured=$(sed -n 's/.* needs glibc \([0-9.]*\)$/\1/p' "$WORK/log")
    [ -n "$measured" ] && grep -qF "where glibc is $measured or later" "$AIPASS_ROOT/README.md" || { echo "measured: $measured" >>"$WORK/log" && return 1; }
}

chroots() {
    local wanted=" $* "
    [ "$(id -u)" = 0 ] || { echo 'FAIL install: the chroots need root' && FAILED=1 && return; }
    [ $# -gt 0 ] || wanted=' build package bundle '
    cd "$AIPASS_ROOT" || return
    mkdir -p "$WORK/test/out"
    if [[ $wanted == *" build "* || $wanted == *" package "* ]]; then
        quiet make dist && cp "$AIPASS_BUILD/aipass-$VERSION.tar.gz" "$WORK/test"
        judge "build: make dist" $?
        base build "$BUILD_PACKAGES" && enter build build --net
        base host "$HOST_PACKAGES" || FAILED=$((FAILED + 1))
        cp "$AIPASS_BUILD/tests/provider/provider" "$WORK/test"
        [[ $wanted != *" package "* ]] || enter package host
    fi
    if [[ $wanted == *" bundle "* ]]; then
        quiet make bundle
        judge "bundle: make bundle, in a Debian 11" $?
        glibc_is_told
        judge "bundle: README.md tells the glibc that it needs" $?
        cp "$AIPASS_BUILD/aipass-$VERSION-linux-$(uname -m).tar.gz" "$AIPASS_BUILD/tests/provider/provider" "$WORK/test"
        base host "$HOST_PACKAGES" && enter bundle host
    fi
}

main() {
    WORK=$AIPASS_BUILD/tmp/install.$$
    mkdir -p "$WORK"
    if [ "${1:-}" = --short ]; then short; else chroots "$@"; fi
    echo "$PASSED passed, $FAILED failed"
    if [ "$FAILED" = 0 ]; then rm -rf "$WORK"; else echo "kept: $WORK"; fi
    [ "$FAILED" = 0 ]
}

main "$@"
