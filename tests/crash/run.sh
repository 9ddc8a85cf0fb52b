#!/bin/bash
# tests/crash/run.sh [--seed N] [--runs N] [--seconds N] [WORD]... - builds the gateway with its fault points into a folder of its
# own and runs the crash tests (tests/crash/crash.c) against it. The last line is 'N passed, N failed'.
set -euo pipefail

cd "$(dirname "$0")/../.."
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # servers, which a user's path on Debian does not have
MAKE_HERE=(env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make FAULTS=1 "SAN=${SAN:-}")
BUILD=$("${MAKE_HERE[@]}" -s where)

mkdir -p "$BUILD"
if ! "${MAKE_HERE[@]}" -j2 crash-tests >"$BUILD/build.log" 2>&1; then
    tail -n 40 "$BUILD/build.log"
    exit 1
fi
exec "$BUILD/tests/crash/crash" "$@"
