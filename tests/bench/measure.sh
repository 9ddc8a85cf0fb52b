# shellcheck shell=bash
# What the benchmark measures with: processor time and memory of processes from /proc, the load generator, medians.
#
# Sourced by run.sh, which sets AIPASS_BUILD and DIR (a directory for files) before. Times are microseconds, memory is kB.

LOAD_SECONDS_MAX=60 # whatever happens, a run of the load generator is over by then

# pids_of NAME - the processes of one of: nginx, lighttpd, gateway, mariadb.
pids_of() {
    case $1 in
    nginx) echo "$NGINX_PID" && children_of "$NGINX_PID" ;;
    lighttpd) echo "$STACK_WEB_PID" ;;
    gateway) children_of "$STACK_WEB_PID" ;;
    mariadb) echo "$STACK_DATABASE_PID" ;;
    esac
}

children_of() { tr ' ' '\n' <"/proc/$1/task/$1/children" | sed '/^$/d'; }

# cpu_of NAME - processor time used so far, that of children which have ended included; microseconds.
cpu_of() {
    local pid stats=(/dev/null)
    for pid in $(pids_of "$1"); do
        stats+=("/proc/$pid/stat")
    done
    # Behind the name, which may hold blanks: utime, stime, cutime and cstime are fields 12 to 15.
    sed 's/.*) //' "${stats[@]}" 2>/dev/null | awk -v hz="$(getconf CLK_TCK)" '{ n += $12 + $13 + $14 + $15 } END { printf "%d\n", n * 1000000 / hz }'
}

# memory_of NAME FIELD - the sum of Pss or Rss over its processes, or with max the largest; kB.
memory_of() {
    local pid files=(/dev/null)
    for pid in $(pids_of "$1"); do
        files+=("/proc/$pid/smaps_rollup")
    done
    awk -v field="$2:" -v how="${3:-sum}" '
        $1 == field { sum += $2; if ($2 > max) max = $2 }
        END { printf "%d\n", how == "max" ? max : sum }' "${files[@]}" 2>/dev/null
}

# load OPTION... - one run of the load generator; prints its JSON, {} when it failed.
load() {
    timeout "$LOAD_SECONDS_MAX" "$AIPASS_BUILD/tests/bench/load" --host 127.0.0.1 --path /v1/chat/completions \
        --header "Authorization: Bearer $KEY" --json "$@" 2>>"$DIR/log/load.log" || echo '{}'
}

# value JSON NAME [DEFAULT] - a number out of the load generator's JSON, "ok" or "latency_us.p50"; 0 or the default when absent.
value() {
    local name=${2#*.} group='' found
    [ "$name" = "$2" ] || group="\"${2%%.*}\":{[^}]*"
    found=$(sed -n "s/.*$group\"$name\":\([0-9.]*\)[,}].*/\1/p" <<<"$1")
    echo "${found:-${3:-0}}"
}

# median NUMBER... - of what is given; 0 of nothing.
median() {
    printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { if (NR == 0) print 0; else if (NR % 2) print v[(NR + 1) / 2]; else print (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# calc EXPRESSION - with awk's arithmetic; as many decimals as are of use.
calc() { awk "BEGIN { n = ($1); printf n >= 100 || n <= -100 || n == int(n) ? \"%.0f\" : \"%.2f\", n }" 2>/dev/null; }
ratio() { calc "($2) > 0 ? ($1) / ($2) : 0"; }
is_true() { awk "BEGIN { exit !($1) }"; }

# ---- the table ----

heading() { printf '\n%s\n%-46s %12s %12s %9s   %-14s %s\n' "$1" '' nginx gateway ratio target verdict; }
# row NAME NGINX GATEWAY RATIO [TARGET CONDITION] - a dash where there is nothing.
row() {
    local verdict=''
    if [ -n "${6:-}" ]; then
        if is_true "$6"; then verdict=ok; else verdict=MISSED; fi
    fi
    printf '%-46s %12s %12s %9s   %-14s %s\n' "$1" "$2" "$3" "$4" "${5:-}" "$verdict"
}
