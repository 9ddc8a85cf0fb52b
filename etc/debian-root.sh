#!/bin/bash
# etc/debian-root.sh ROOT SUITE PACKAGE... - makes ROOT a Debian of SUITE with these packages and nothing that they do not need, for chroot. Nothing is started in it.
# Needs root and debootstrap. The mirror, and how to reach it, are those of apt on this machine; DEBIAN_MIRROR names another.
set -euo pipefail

root=$1 suite=$2
shift 2
log=$root.log

# The first archive of Debian itself that apt has a line for; either form of its files.
mirror() {
    find /etc/apt/sources.list /etc/apt/sources.list.d -type f -exec cat {} + 2>/dev/null | grep -v '^ *#' | grep -oE '[a-z+]+://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ' || true
}

[ "$(id -u)" = 0 ] || { echo "a chroot of Debian needs root" >&2 && exit 1; }
command -v debootstrap >/dev/null || { echo 'a chroot of Debian needs debootstrap: apt-get install debootstrap' >&2 && exit 1; }
from=${DEBIAN_MIRROR:-$(mirror)}
mkdir -p "$(dirname "$root")"
rm -rf "$root"
trap 'tail -n 10 "$log" >&2; rm -rf "$root"' ERR
debootstrap --variant=minbase "$suite" "$root" ${from:+"$from"} >"$log" 2>&1

printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod 755 "$root/usr/sbin/policy-rc.d"
for file in /etc/resolv.conf /etc/hosts; do cp -L "$file" "$root/etc/" 2>/dev/null || true; done
{ apt-config dump | grep -E '^Acquire::(http|https)::' || true; } >"$root/etc/apt/apt.conf.d/80host"
chroot "$root" env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get -q update && apt-get -q install -y --no-install-recommends "$@" && apt-get clean' sh "$@" </dev/null >>"$log" 2>&1
rm -rf "$root"/var/lib/apt/lists/*
rm -f "$log"
