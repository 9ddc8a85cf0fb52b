#!/bin/bash
# Puts the pinned SDKs and Node.js under build/sdk. Nothing to do: instant. Also sourced, for sdk_node and sdk_python.
set -euo pipefail

SDK_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
SDK_DIR=${AIPASS_BUILD:-$SDK_HERE/../../build}/sdk
sdk_node=$SDK_DIR/node_modules/.bin/node
sdk_python=$SDK_DIR/venv/bin/python

sdk_stamp() { cat "$SDK_HERE/package.json" "$SDK_HERE/requirements.txt" | sha256sum | cut -c1-16; }

# No lock file: one would name the registry's hosts. Each package is pinned, with all that it needs.
sdk_install_node() {
    cp "$SDK_HERE/package.json" "$SDK_DIR/" &&
        npm --prefix "$SDK_DIR" install --no-package-lock --no-audit --no-fund --loglevel=error </dev/null &&
        "$sdk_node" --version
}

sdk_install_python() {
    local python=python3
    [ ! -x /usr/bin/python3 ] || python=/usr/bin/python3 # Debian's, whose venv we have asked for
    "$python" -m venv --clear "$SDK_DIR/venv" &&
        "$SDK_DIR/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$SDK_HERE/requirements.txt" </dev/null &&
        "$sdk_python" --version
}

# npm and pip bring lists of authorities of their own; who has added one to the system's means it.
sdk_trust_system() {
    local file=/etc/ssl/certs/ca-certificates.crt
    [ -r "$file" ] || return 0
    export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-$file} PIP_CERT=${PIP_CERT:-$file}
}

sdk_install() {
    local log=$SDK_DIR/install.log stamp
    stamp=$SDK_DIR/stamp.$(sdk_stamp)
    [ ! -e "$stamp" ] || return 0
    mkdir -p "$SDK_DIR"
    echo "Installing the official SDKs and Node.js into $SDK_DIR (for tests only)"
    sdk_trust_system
    if ! { sdk_install_node && sdk_install_python; } >"$log" 2>&1; then
        echo "The SDKs could not be installed; $log ends with:" >&2
        tail -n 15 "$log" >&2
        return 1
    fi
    rm -f "$SDK_DIR"/stamp.*
    touch "$stamp"
}

sdk_install
