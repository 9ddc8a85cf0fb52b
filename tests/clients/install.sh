#!/bin/bash
# tests/clients/install.sh NAME - puts the agent program NAME, in the version that is pinned here, under build/clients/NAME, and the Node.js
# that all of them run on under build/clients/node. What is there already stays: instant. The reason for a failure is its last line.
# Also sourced, for CLIENTS_DIR, clients_program and clients_path.
set -euo pipefail

CLIENTS_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
CLIENTS_DIR=${CLIENTS_DIR:-${AIPASS_BUILD:-$CLIENTS_HERE/../../build}/clients}
CLIENTS_INSTALL_SECONDS=900
clients_path=$CLIENTS_DIR/node/node_modules/node/bin

clients_package() {
    case $1 in
    node) echo node@24.21.0 ;;
    claude-code) echo @anthropic-ai/claude-code@2.1.330 ;;
    codex) echo @openai/codex@0.169.0 ;;
    gemini-cli) echo @google/gemini-cli@0.61.0 ;;
    openclaw) echo openclaw@2026.9.6 ;;
    *) echo "no such program: $1" && return 1 ;;
    esac
}

# clients_program NAME - the file to start.
clients_program() {
    local name=$1
    case $1 in
    claude-code) name=claude ;;
    gemini-cli) name=gemini ;;
    esac
    echo "$CLIENTS_DIR/$1/node_modules/.bin/$name"
}

# clients_install NAME - prints why not when it fails.
clients_install() {
    local dir=$CLIENTS_DIR/$1 package log rc=0
    package=$(clients_package "$1")
    [ ! -e "$dir/stamp" ] || [ "$(<"$dir/stamp")" != "$package" ] || return 0
    [ "$1" = node ] || clients_install node || return 1
    command -v npm >/dev/null || { echo "npm is missing (apt install npm)" && return 1; }
    log=$dir/install.log
    rm -rf "$dir"
    mkdir -p "$dir"
    echo '{"private": true, "description": "for make test-clients only"}' >"$dir/package.json"
    # npm picks packages by the version of the Node.js that runs it. It brings a list of authorities of its own.
    PATH="$clients_path:$PATH" NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt} \
        timeout "$CLIENTS_INSTALL_SECONDS" npm --prefix "$dir" install --no-package-lock --no-audit --no-fund --loglevel=error \
        "$package" </dev/null >"$log" 2>&1 || rc=$?
    [ "$rc" != 124 ] || { echo "npm install $package did not end within $CLIENTS_INSTALL_SECONDS s" && return 1; }
    [ "$rc" = 0 ] || { echo "npm install $package: $(grep -m 1 'npm error' "$log" || tail -n 1 "$log")" && return 1; }
    echo "$package" >"$dir/stamp"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    clients_install "$1"
fi
