#!/bin/bash
# Installs the Debian packages that a task needs: etc/install-deps.sh build run docs test pages lint bench
#
# Says what is missing and why before it asks for any right. With nothing missing it is silent and touches nothing.
# What is there is recognised by the thing itself, not by the package: another source of it will do.
set -euo pipefail

PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# group, how to see that it is there (cmd: program, pc: pkg-config module, h: header, f: file), package, what it is for
needs() {
    cat <<'TABLE'
build cmd:gcc           gcc                     compiler
build cmd:make          make                    build tool
build h:stdio.h         libc6-dev               C library headers
build cmd:pkg-config    pkg-config              finds the libraries below
build h:fcgiapp.h       libfcgi-dev             FastCGI: talks to the web server
build pc:libcurl        libcurl4-openssl-dev    HTTP to the providers
build pc:libmariadb     libmariadb-dev          MariaDB client
build pc:json-c         libjson-c-dev           JSON
build h:ini.h           libinih-dev             reads aipass.conf
build pc:libssl         libssl-dev              hashes, AES-GCM, random numbers
build h:crypt.h         libcrypt-dev            passwords
build pc:zlib           zlib1g-dev              compressed bodies
build h:uthash.h        uthash-dev              hash tables
run   cmd:mariadbd      mariadb-server-core     the database; a private one, no service is started
run   cmd:mariadb       mariadb-client-core     SQL prompt
run   cmd:lighttpd      lighttpd                the web server (Debian also starts one on port 80)
run   cmd:curl          curl                    sends the first request
run   cmd:setpriv       util-linux              ends the servers with the script that started them
docs  cmd:lowdown       lowdown                 Markdown into pages
docs  cmd:highlight     highlight               colours of code in them
test  cmd:gcc           gcc                     compiler
test  pc:check          check                   unit test library
test  h:subunit/child.h libsubunit-dev          needed by check
test  cmd:node          nodejs                  brings npm, which brings the Node.js that the SDK needs
test  cmd:npm           npm                     OpenAI SDK for Node.js
test  py:venv           python3-venv            OpenAI SDK for Python
test  cmd:jq            jq                      looks into JSON answers
test  cmd:tidy          tidy                    are the pages valid HTML?
pages cmd:chromium      chromium                draws the documentation's pages
pages cmd:php           php-cli                 runs its samples
pages php:curl          php-curl                ... which use curl
pages pc:libcurl        libcurl4-openssl-dev    ... so do those in C
hosts cmd:apache2       apache2-bin             web server that is tested (not started)
hosts f:/usr/lib/apache2/modules/mod_fcgid.so libapache2-mod-fcgid its FastCGI module
hosts f:/usr/lib/lighttpd/mod_openssl.so lighttpd-mod-openssl TLS of lighttpd
hosts cmd:nginx         nginx                   web server that is tested (Debian also starts one on port 80)
hosts cmd:spawn-fcgi    spawn-fcgi              starts workers
hosts cmd:openssl       openssl                 a certificate
hosts cmd:python3       python3                 asks them over plain sockets
install cmd:debootstrap debootstrap             a Debian in a directory, for tests of the installation
lint  cmd:mandoc        mandoc                  finds mistakes in man pages
lint  cmd:lowdown       lowdown                 makes man pages
lint  cmd:clang-format-14 clang-format-14       layout of C
lint  cmd:clang-tidy-14 clang-tidy-14           finds mistakes in C
lint  cmd:cppcheck      cppcheck                finds more of them
lint  cmd:shellcheck    shellcheck              finds mistakes in shell scripts
fuzz  cmd:clang-14      clang-14                compiler with a fuzzer
bench cmd:nginx         nginx                   what the gateway is compared with (Debian also starts one on port 80)
bench cmd:openssl       openssl                 a certificate for a provider over TLS
TABLE
}

has_header() {
    [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ] || compgen -G "/usr/include/*-linux-gnu*/$1" >/dev/null
}

# Debian splits ensurepip from Python; without it a virtual environment comes without pip.
has_venv() {
    local python=python3
    [ -x /usr/bin/python3 ] && python=/usr/bin/python3
    "$python" -c 'import venv, ensurepip' 2>/dev/null
}

is_there() {
    case $1 in
    cmd:*) command -v "${1#cmd:}" >/dev/null ;;
    pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
    f:*) [ -e "${1#f:}" ] ;;
    h:*) has_header "${1#h:}" ;;
    py:venv) has_venv ;;
    php:*) command -v php >/dev/null && php -m | grep -qix "${1#php:}" ;;
    *) echo "install-deps.sh: bad table row: $1" >&2 && exit 2 ;;
    esac
}

# The rows of the wanted groups whose thing is not there.
missing() {
    local group how package why
    while read -r group how package why; do
        [[ " $* " == *" $group "* ]] || continue
        is_there "$how" || printf '%s\t%s\n' "$package" "$why"
    done < <(needs) | sort -u
}

install() {
    local run=(env DEBIAN_FRONTEND=noninteractive apt-get -q)
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Not root and no sudo here. As root, run:  apt-get install $*" >&2
            return 1
        fi
        echo "Installing needs root: sudo may ask for your password."
        run=(sudo "${run[@]}")
    fi
    if ! command -v apt-get >/dev/null; then
        echo "No apt-get here. Install what your system calls these: $*" >&2
        return 1
    fi
    "${run[@]}" update && "${run[@]}" install -y --no-install-recommends "$@"
}

main() {
    local group list packages
    [ $# -gt 0 ] || set -- build run
    for group in "$@"; do
        [[ $group =~ ^(build|run|docs|test|pages|hosts|install|lint|fuzz|bench)$ ]] || { echo "usage: install-deps.sh [build|run|docs|test|pages|hosts|install|lint|fuzz|bench]..." >&2 && exit 2; }
    done
    list=$(missing "$@")
    [ -n "$list" ] || return 0

    echo "These Debian packages are missing:"
    awk -F'\t' '{ printf "  %-22s %s\n", $1, $2 }' <<<"$list"
    mapfile -t packages < <(cut -f1 <<<"$list" | sort -u)
    install "${packages[@]}"

    list=$(missing "$@")
    [ -z "$list" ] || { echo "Still missing after the installation:" && echo "$list" && return 1; } >&2
}

main "$@"
