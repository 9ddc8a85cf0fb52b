#!/bin/sh
# Starts the gateway for nginx or Apache on a host without systemd: two workers on one socket, as a user of their own.
#
#   AIPASS_SOCKET AIPASS_PROGRAM AIPASS_CONF AIPASS_PIDS AIPASS_WORKERS AIPASS_USER   change what stands below
#
# spawn-fcgi does not start a worker anew that has died: let cron run this with --keep, which does nothing while all of them live. A graceful restart: run it with
# --restart; new workers take a socket of the same name, the old ones finish what they have, and end.
set -eu

socket=${AIPASS_SOCKET:-/run/aipass/aipass.sock}
program=${AIPASS_PROGRAM:-/usr/local/libexec/aipass.fcgi}
conf=${AIPASS_CONF:-/etc/aipass/aipass.conf}
pids=${AIPASS_PIDS:-/run/aipass/workers.pid}
workers=${AIPASS_WORKERS:-2}
user=${AIPASS_USER-aipass}

living() { for pid in $(cat "$pids" 2>/dev/null); do ! kill -0 "$pid" 2>/dev/null || echo "$pid"; done; }

old=$(living)
case ${1:-} in
--keep) [ "$(echo "$old" | grep -c .)" -lt "$workers" ] || exit 0 ;;
--restart | '') ;;
--stop) [ -z "$old" ] || kill $old; rm -f "$pids"; exit 0 ;;
*) echo "usage: spawn-fcgi.sh [--keep|--restart|--stop]" >&2 && exit 2 ;;
esac

mkdir -p "$(dirname "$socket")"
# The old socket's name goes, not the socket: who waits in its queue is still served.
rm -f "$socket"
set -- -s "$socket" -M 0660 -b 1024 -F "$workers" -P "$pids"
[ -z "$user" ] || set -- "$@" -u "$user" -g "$user" -U "$user" -G www-data
spawn-fcgi "$@" -- "$program" --config "$conf" >/dev/null
[ -z "$old" ] || kill $old
