#!/bin/bash
# make bench - what the gateway costs, against nginx as a plain keep-alive proxy in front of the same provider simulator.
#
# Everything runs on this machine, over loopback, with all that the gateway does switched on: keys, money, journal, usage rows.
# The two take turns within each measurement and medians are compared, so that the ratios hold where absolute numbers do not.
# Prints one table with targets and verdicts; the exit status is 0 whatever they are. ROUNDS=1 is a quick look,
# PARTS="requests translation" a part of it.
set -euo pipefail

AIPASS_ROOT=$(cd "$(dirname "$0")/../.." && pwd -P)
AIPASS_BUILD=${AIPASS_BUILD:-$AIPASS_ROOT/build}
DIR=$AIPASS_BUILD/bench
# shellcheck source=etc/stack.sh
. "$AIPASS_ROOT/etc/stack.sh"
# shellcheck source=tests/bench/measure.sh
. "$AIPASS_ROOT/tests/bench/measure.sh"

ROUNDS=${ROUNDS:-5}
ROUND_SECONDS=${ROUND_SECONDS:-2}
# count:ms between events:events of each. The last is what two processors can carry, whoever relays it.
STREAMS=${STREAMS:-512:20:200 2000:20:200 2000:200:25}
TLS_STREAMS=${TLS_STREAMS:-512:20:200 2000:200:25}
TRANSLATED_EVENTS=50
TRANSLATED_STREAMS=512:20:200
PROVIDER_FORMATS=(openai-responses anthropic gemini)
PARTS=${PARTS:-requests big failing limits streams translation process}
PORT_FIRST=21000
RAMP_MS=1000
COLD_STARTS=5
BIG_BYTES=200000
KEY=sk-aip-bench-$(stack_random 16)
NGINX_PID='' NGINX_PORT='' TLS_PID='' TLS_PORT='' NGINX_TLS_PORT=''

# ---- what runs ----

free_port() {
    local port=$1
    while stack_is_listening "$port"; do port=$((port + 1)); done
    echo "$port"
}

make_certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext 'subjectAltName=IP:127.0.0.1' \
        -keyout "$DIR/etc/tls.key" -out "$DIR/etc/tls.pem" 2>"$DIR/log/openssl.log"
}

start_tls_provider() {
    rm -f "$DIR/tls.port"
    stack_start provider-tls "$AIPASS_BUILD/tests/provider/provider" --port 0 --port-file "$DIR/tls.port" \
        --tls-cert "$DIR/etc/tls.pem" --tls-key "$DIR/etc/tls.key" --die-with-parent
    TLS_PID=$!
    stack_until 100 test -s "$DIR/tls.port" || stack_fail "the TLS provider did not start" "$DIR/log/provider-tls.log"
    TLS_PORT=$(<"$DIR/tls.port")
}

write_nginx_config() {
    cat >"$DIR/etc/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $DIR/nginx.pid;
error_log $DIR/log/nginx.log warn;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
    access_log off;
    client_max_body_size 40m;
    client_body_buffer_size 512k;
    client_body_temp_path $DIR/tmp/nginx-body;
    proxy_temp_path $DIR/tmp/nginx-proxy;
    fastcgi_temp_path $DIR/tmp/nginx-fastcgi;
    uwsgi_temp_path $DIR/tmp/nginx-uwsgi;
    scgi_temp_path $DIR/tmp/nginx-scgi;
    keepalive_requests 100000000;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
    proxy_read_timeout 600s;
    upstream plain { server ${STACK_PROVIDER_URL#http://}; keepalive 64; keepalive_requests 100000000; }
    upstream tls { server 127.0.0.1:$TLS_PORT; keepalive 64; keepalive_requests 100000000; }
    server { listen 127.0.0.1:$NGINX_PORT backlog=4096; location / { proxy_pass http://plain; } }
    server {
        listen 127.0.0.1:$NGINX_TLS_PORT backlog=4096;
        location / {
            proxy_pass https://tls;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate $DIR/etc/tls.pem;
            proxy_ssl_name 127.0.0.1;
        }
    }
}
CONF
}

start_nginx() {
    NGINX_PORT=$(free_port $((PORT_FIRST + 100)))
    NGINX_TLS_PORT=$(free_port $((NGINX_PORT + 1)))
    write_nginx_config
    stack_start nginx nginx -p "$DIR" -c "$DIR/etc/nginx.conf"
    NGINX_PID=$!
    stack_until 100 stack_is_listening "$NGINX_TLS_PORT" || stack_fail "nginx did not start" "$DIR/log/nginx.log"
}

seed() {
    stack_sql --quick <<SQL
SET @provider = '$STACK_PROVIDER_URL/v1', @tls = 'https://127.0.0.1:$TLS_PORT/v1';
INSERT INTO accounts (name) VALUES ('bench');
INSERT INTO ledger (account_id, kind, amount) SELECT id, 'recharge', 1000000 FROM accounts WHERE name = 'bench';
INSERT INTO api_keys (account_id, name, key_hash) SELECT id, 'bench', UNHEX(SHA2('$KEY', 256)) FROM accounts WHERE name = 'bench';
INSERT INTO models (name) VALUES ('bench'), ('bench-tls'), ('bench-openai-responses'), ('bench-anthropic'), ('bench-gemini'), ('bench-sick'), ('bench-limited');
INSERT INTO prices (model_id, unit, amount) SELECT id, 'input_token', 1.25 FROM models UNION ALL SELECT id, 'output_token', 10 FROM models;
INSERT INTO channels (name, provider, base_url, allow_private)
SELECT name, 'demo', IF(name = 'bench-tls', @tls, @provider), TRUE FROM models WHERE name <> 'bench-sick';
INSERT INTO channel_keys (channel_id, secret) SELECT id, 'provider-key' FROM channels;
INSERT INTO channel_models (channel_id, model_id) SELECT c.id, m.id FROM channels c JOIN models m ON m.name = c.name;
INSERT INTO rate_limits (account_id, api_key_id, group_id, model_id, requests_per_minute, tokens_per_minute, concurrent_requests)
  SELECT IF(s.seq = 1, a.id, NULL), IF(s.seq = 2, k.id, NULL), IF(s.seq = 3, a.group_id, NULL), m.id, 1000000000, 1000000000000, 10000
  FROM models m JOIN accounts a ON a.name = 'bench' JOIN api_keys k ON k.account_id = a.id JOIN seq_1_to_4 s WHERE m.name = 'bench-limited';
UPDATE channels SET format = SUBSTRING(name, 7) WHERE name REGEXP '^bench-(openai|anthropic|gemini)';
INSERT INTO channels (name, provider, base_url, allow_private, priority) VALUES
  ('sick-1', 'demo', @provider, TRUE, 10), ('sick-2', 'demo', @provider, TRUE, 10), ('sick-3', 'demo', @provider, TRUE, 0);
INSERT INTO channel_keys (channel_id, secret) SELECT id, 'provider-key' FROM channels WHERE name LIKE 'sick-%';
INSERT INTO channel_models (channel_id, model_id, upstream_name)
  SELECT c.id, m.id, IF(c.priority > 0, 'bench-sick@status=500', 'bench') FROM channels c JOIN models m ON m.name = 'bench-sick' WHERE c.name LIKE 'sick-%';
SQL
}

# write_body FILE MODEL BYTES CONTROLS MEMBERS
write_body() {
    printf '{"model":"%s","max_tokens":1000%s,"messages":[{"role":"user","content":"[[sim %s]] %s"}]}' \
        "$2" "$5" "$4" "$(head -c "$3" /dev/zero | tr '\0' a)" >"$DIR/$1"
}

write_bodies() {
    write_body small.json bench 1000 tokens=10 ''
    write_body sick.json bench-sick 1000 tokens=10 ''
    write_body limited.json bench-limited 1000 tokens=10 ''
    write_body big.json bench "$BIG_BYTES" tokens=10 ''
}

start_all() {
    rm -rf "$DIR"
    stack_init "$DIR"
    make_certificate
    STACK_SETTINGS="tls_ca_file = $DIR/etc/tls.pem"
    stack_start_database
    stack_migrate
    stack_start_provider
    start_tls_provider
    seed
    stack_start_web "$PORT_FIRST"
    start_nginx
    write_bodies
}

# shellcheck disable=SC2317 # called by a trap
stop_all() {
    [ $? = 0 ] || echo "the benchmark did not finish; logs are in $DIR/log" >&2
    [ -z "$NGINX_PID" ] || stack_end "$NGINX_PID"
    [ -z "$TLS_PID" ] || stack_end "$TLS_PID"
    stack_stop
    rm -rf "$DIR/data"
    exit 0
}

port_of() {
    case $1 in
    nginx) echo "$NGINX_PORT" ;;
    nginx-tls) echo "$NGINX_TLS_PORT" ;;
    direct) echo "${STACK_PROVIDER_URL##*:}" ;;
    *) echo "$STACK_PORT" ;;
    esac
}

# ---- requests ----

declare -A SAMPLES # "what.side" -> numbers of all rounds
note() { SAMPLES[$1]="${SAMPLES[$1]:-} $2"; }
# shellcheck disable=SC2086 # a list of numbers
of() { median ${SAMPLES[$1]:-}; }

# one_round SIDE CONNECTIONS BODY LABEL - a run of the load generator and who used how much of the processor.
one_round() {
    local side=$1 label=$4 part json ok
    local -A before
    for part in nginx lighttpd gateway mariadb; do before[$part]=$(cpu_of $part); done
    json=$(load --port "$(port_of "$side")" --body "$DIR/$3" --connections "$2" --seconds "$ROUND_SECONDS")
    ok=$(value "$json" ok)
    note "$label.rps.$side" "$(value "$json" requests_per_second)"
    note "$label.p50.$side" "$(value "$json" latency_us.p50)"
    note "$label.p99.$side" "$(value "$json" latency_us.p99)"
    note "$label.failed.$side" "$(($(value "$json" requests) - ok))"
    note "$label.ok.$side" "$ok"
    for part in nginx lighttpd gateway mariadb; do
        note "$label.cpu.$part.$side" "$(ratio "$(cpu_of $part) - ${before[$part]}" "$ok")"
    done
}

# rounds CONNECTIONS BODY LABEL - both sides in turn, after a warm-up that does not count.
rounds() {
    local i side
    for side in nginx gateway; do
        load --port "$(port_of $side)" --body "$DIR/$2" --connections "$1" --seconds 0.3 >/dev/null
    done
    for ((i = 0; i < ROUNDS; i++)); do
        for side in nginx gateway; do one_round "$side" "$1" "$2" "$3"; done
    done
}

database_counts() {
    echo 'SELECT (SELECT COALESCE(SUM(n), 0) FROM account_state), (SELECT COALESCE(SUM(last_segment), 0) FROM journal_positions), (SELECT COUNT(*) FROM usage_log);' |
        stack_sql --quick
}

compare() { # LABEL KEY UNIT [TARGET CONDITION] - one row of nginx against gateway; CONDITION sees r, the ratio
    local n g r
    n=$(of "$2.nginx") g=$(of "$2.gateway")
    r=$(ratio "$g" "$n")
    row "$1, $3" "$n" "$g" "$r" "${4:-}" "${5:+${5//r/$r}}"
}

report_requests() { # CONNECTIONS LABEL
    local web gateway database total nginx r
    heading "$1 connection$([ "$1" = 1 ] || echo s), 1 kB request, whole answer: medians of $ROUNDS rounds"
    compare 'requests' "$2.rps" '1/s'
    if [ "$1" = 1 ]; then
        compare 'latency p50' "$2.p50" us '<= 4x' 'r <= 4'
    else
        compare 'latency p50' "$2.p50" us
    fi
    compare 'latency p99' "$2.p99" us
    row 'failed requests' "$(of "$2.failed.nginx")" "$(of "$2.failed.gateway")" - none "$(of "$2.failed.gateway") == 0"
    nginx=$(of "$2.cpu.nginx.nginx")
    web=$(of "$2.cpu.lighttpd.gateway") gateway=$(of "$2.cpu.gateway.gateway") database=$(of "$2.cpu.mariadb.gateway")
    total=$(calc "$web + $gateway + $database")
    r=$(ratio "$total" "$nginx")
    row 'processor a request: web server, us' "$nginx" "$web" "$(ratio "$web" "$nginx")"
    row 'processor a request: gateway, us' - "$gateway" "$(ratio "$gateway" "$nginx")"
    row 'processor a request: MariaDB, us' - "$database" "$(ratio "$database" "$nginx")"
    row 'processor a request: together, us' "$nginx" "$total" "$r" '<= 6x' "$r <= 6"
}

measure_requests() {
    local takes commits rows takes2 commits2 rows2 per
    rounds 1 small.json one
    report_requests 1 one
    sleep 1
    read -r takes commits rows < <(database_counts)
    rounds 32 small.json many
    sleep 1
    read -r takes2 commits2 rows2 < <(database_counts)
    report_requests 32 many
    per=$(ratio "($takes2 - $takes) * 1000" "$rows2 - $rows")
    row 'lease takes per 1,000 requests' - "$per" - '< 50' "$per < 50"
    row 'journal commits per 1,000 requests' - "$(ratio "($commits2 - $commits) * 1000" "$rows2 - $rows")" -
}

measure_big_body() {
    local n g beyond
    rounds 1 big.json big
    rounds 1 small.json base
    n=$(calc "$(of big.p50.nginx) - $(of base.p50.nginx)")
    g=$(calc "$(of big.p50.gateway) - $(of base.p50.gateway)")
    beyond=$(calc "$g - $n")
    heading "1 connection, 200 kB request"
    compare 'latency p50' big.p50 us
    row 'latency p50 above that of 1 kB, us' "$n" "$g" -
    row 'the same beyond what nginx adds, us' - "$beyond" - '< 300' "$beyond < 300"
}

# compare_with NAME WITHOUT WITH - 32 connections ask for NAME.json, and in turns for the plain model; what it costs.
compare_with() {
    local i each
    load --port "$STACK_PORT" --body "$DIR/$1.json" --connections 32 --seconds 0.5 >/dev/null
    for ((i = 0; i < ROUNDS; i++)); do
        one_round gateway 32 small.json "$1.without"
        one_round gateway 32 "$1.json" "$1.with"
    done
    heading "32 connections, $3 (here in the place of nginx: $2)"
    for each in rps p50 p99; do
        row "$each" "$(of "$1.without.$each.gateway")" "$(of "$1.with.$each.gateway")" \
            "$(ratio "$(of "$1.with.$each.gateway")" "$(of "$1.without.$each.gateway")")"
    done
    row 'failed requests' "$(of "$1.without.failed.gateway")" "$(of "$1.with.failed.gateway")" - none "$(of "$1.with.failed.gateway") == 0"
    each=$(ratio "$(of "$1.with.rps.gateway")" "$(of "$1.without.rps.gateway")")
    row 'requests with them, of those without' - - "$each" '>= 0.8' "$each >= 0.8"
}

# Two of three channels fail, and are tried first: against a model whose only channel works.
measure_failing_channels() {
    compare_with sick 'none does' 'two of three channels fail'
    row 'attempts that were lost' - "$(echo 'SELECT COUNT(*) FROM request_attempts;' | stack_sql --quick)" -
}

# Requests, tokens and concurrency on a model, on it and the account, on it and the group, on it and the key: far above what is asked.
measure_limits() {
    compare_with limited 'none' 'four limits of each kind'
}

# ---- streams ----

# one_stream_run SIDE STREAMS - JSON of the load generator with "pss_kb", the gateway's most memory while it ran, and "cpu_us", what the
# side used of the processor.
one_stream_run() {
    local side=$1 peak=0 now load_pid cpu part parts out=$DIR/tmp/streams.json
    parts=(nginx)
    [ "$side" != gateway ] || parts=(lighttpd gateway)
    cpu=0
    for part in "${parts[@]}"; do cpu=$((cpu - $(cpu_of "$part"))); done
    load --port "$(port_of "$side")" --body "$DIR/stream.json" --connections "$2" --stream --ramp-ms "$RAMP_MS" --timeout 30 >"$out" &
    load_pid=$!
    while kill -0 "$load_pid" 2>/dev/null; do
        now=$(memory_of gateway Pss)
        [ "${now:-0}" -le "$peak" ] || peak=$now
        sleep 0.7
    done
    wait "$load_pid" || true
    for part in "${parts[@]}"; do cpu=$((cpu + $(cpu_of "$part"))); done
    printf '{"pss_kb":%d,"cpu_us":%d,%s' "$peak" "$cpu" "$(cut -c2- "$out")"
}

# one_setting COUNT:MS:EVENTS BODY_BYTES MODEL NGINX_SIDE TITLE
one_setting() {
    local count pace events own nginx gateway gap each
    IFS=: read -r count pace events <<<"$1"
    write_body stream.json "$3" "$2" "tokens=$events,pace=$pace" ',"stream":true'
    sleep 6 # idle workers leave
    own='{}'
    [ "$4" != nginx ] || own=$(one_stream_run direct "$count")
    nginx=$(one_stream_run "$4" "$count")
    gateway=$(one_stream_run gateway "$count")
    heading "$count streams$5, $events events each, one every $pace ms"
    row 'streams lost' "$(value "$nginx" streams_lost)" "$(value "$gateway" streams_lost -1)" - none \
        "$(value "$gateway" streams_complete) == $count"
    pair 'first event p50, us' "$nginx" "$gateway" first_event_us.p50
    pair 'largest gap of a stream p50, us' "$nginx" "$gateway" gap_us.p50
    pair 'largest gap of all, us' "$nginx" "$gateway" gap_us.max
    if [ "$4" = nginx ]; then
        gap=$(calc "($(value "$gateway" gap_us.max) - $(value "$own" gap_us.max)) / ($pace * 1000)")
        row "... beyond the simulator's own, in paces" \
            "$(calc "($(value "$nginx" gap_us.max) - $(value "$own" gap_us.max)) / ($pace * 1000)")" "$gap" - '<= 3' "$gap <= 3"
    fi
    pair 'processor an event, web server and gateway, us' "$(per_event "$nginx")" "$(per_event "$gateway")" cpu_us
    each=$(ratio "$(value "$gateway" pss_kb) - $IDLE_PSS" "$count")
    row 'memory of the gateway a stream, kB' - "$each" - '< 50' "$each < 50"
}

# per_event JSON - its cpu_us divided by its events.
per_event() { printf '{"cpu_us":%s}' "$(ratio "$(value "$1" cpu_us)" "$(value "$1" events)")"; }

# pair TITLE JSON JSON NAME - a row of the same number of both.
pair() { row "$1" "$(value "$2" "$4")" "$(value "$3" "$4")" "$(ratio "$(value "$3" "$4")" "$(value "$2" "$4")")"; }

measure_streams() {
    local setting
    for setting in $STREAMS; do one_setting "$setting" 100 bench nginx ''; done
    for setting in $TLS_STREAMS; do
        one_setting "$setting" "$BIG_BYTES" bench-tls nginx-tls ' over TLS to the provider with 200 kB requests'
    done
}

# ---- translation: a Chat client's streams from providers of other formats, against streams that are passed through ----

# one_translated_round MODEL - a run of short streams, one after another on eight connections.
one_translated_round() {
    local json before now
    before=$(cpu_of gateway)
    json=$(load --port "$STACK_PORT" --body "$DIR/short-$1.json" --connections 8 --stream --seconds "$ROUND_SECONDS")
    now=$(cpu_of gateway)
    note "short.rps.$1" "$(value "$json" requests_per_second)"
    note "short.cpu.$1" "$(ratio "$now - $before" "$(value "$json" ok) * $TRANSLATED_EVENTS")"
    note "short.failed.$1" "$(($(value "$json" requests) - $(value "$json" ok)))"
    json=$(load --port "$STACK_PORT" --body "$DIR/short-$1.json" --connections 1 --stream --seconds "$ROUND_SECONDS")
    note "short.first.$1" "$(value "$json" first_event_us.p50)"
}

# translated_streams MODEL - many at once, for the memory of each.
translated_streams() {
    local count pace events json each
    IFS=: read -r count pace events <<<"$TRANSLATED_STREAMS"
    write_body stream.json "$1" 1000 "tokens=$events,pace=$pace" ',"stream":true'
    sleep 6 # idle workers leave
    json=$(one_stream_run gateway "$count")
    each=$(ratio "$(value "$json" pss_kb) - $IDLE_PSS" "$count")
    row "$1: streams lost of $count" - "$(value "$json" streams_lost -1)" - none "$(value "$json" streams_complete) == $count"
    row "$1: memory of the gateway a stream, kB" - "$each" - '< 100' "$each < 100"
}

report_translation() { # FORMAT
    local model=bench-$1 rate first cpu
    rate=$(ratio "$(of "short.rps.$model")" "$(of short.rps.bench)")
    first=$(calc "$(of "short.first.$model") - $(of short.first.bench)")
    cpu=$(of "short.cpu.$model")
    row "$1: streams, 1/s" "$(of short.rps.bench)" "$(of "short.rps.$model")" "$rate" '>= 0.9' "$rate >= 0.9"
    row "$1: first event p50, us, and what it adds" "$(of short.first.bench)" "$(of "short.first.$model")" "$first" '< 500' "$first < 500"
    row "$1: processor of the gateway an event, us" "$(of short.cpu.bench)" "$cpu" "$(ratio "$cpu" "$(of short.cpu.bench)")" '< 20' "$cpu < 20"
    row "$1: failed streams" "$(of short.failed.bench)" "$(of "short.failed.$model")" - none "$(of "short.failed.$model") == 0"
}

measure_translation() {
    local i format
    heading "$TRANSLATED_STREAMS streams, a Chat client, passed through and translated"
    for format in '' "${PROVIDER_FORMATS[@]/#/-}"; do translated_streams "bench$format"; done
    write_body short-bench.json bench 1000 "tokens=$TRANSLATED_EVENTS" ',"stream":true'
    for format in "${PROVIDER_FORMATS[@]}"; do
        write_body "short-bench-$format.json" "bench-$format" 1000 "tokens=$TRANSLATED_EVENTS" ',"stream":true'
    done
    for ((i = 0; i <= ROUNDS; i++)); do
        [ "$i" != 1 ] || SAMPLES=() # the first was the warm-up
        for format in '' "${PROVIDER_FORMATS[@]/#/-}"; do one_translated_round "bench$format"; done
    done
    heading "1 kB request, $TRANSLATED_EVENTS events, a Chat client: passed through (left), translated (right)"
    for format in "${PROVIDER_FORMATS[@]}"; do report_translation "$format"; done
    "$AIPASS_BUILD/tests/bench/translate"
}

# ---- the process ----

# From exec to the end of the first answer of a fresh process, in plain CGI form: it reads its configuration, connects, knows
# the key, asks the provider.
cold_start_us() {
    local begin end length
    length=$(stat -c %s "$DIR/small.json")
    begin=$EPOCHREALTIME
    env -i PATH="$PATH" GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST REQUEST_URI=/v1/chat/completions SERVER_PROTOCOL=HTTP/1.1 \
        CONTENT_TYPE=application/json CONTENT_LENGTH="$length" HTTP_AUTHORIZATION="Bearer $KEY" \
        "$AIPASS_BUILD/aipass.fcgi" --config "$DIR/etc/aipass.conf" <"$DIR/small.json" 2>>"$DIR/log/cold.log" | cat >"$DIR/tmp/cold"
    end=$EPOCHREALTIME
    grep -q '"choices"' "$DIR/tmp/cold" || echo "cold start: no answer" >>"$DIR/log/cold.log"
    echo $((${end/./} - ${begin/./}))
}

measure_process() {
    local i cold=() rss
    for ((i = 0; i < COLD_STARTS; i++)); do cold+=("$(cold_start_us)"); done
    heading "the process"
    row "memory of an idle process (RSS), kB" - "$IDLE_RSS" - '< 20480' "$IDLE_RSS < 20480"
    sleep 6
    rss=$(memory_of gateway Rss max)
    row "... after all that (RSS of the largest), kB" - "$rss" -
    row "from exec to the first answer, ms" - "$(calc "$(median "${cold[@]}") / 1000")" - '< 200' "$(median "${cold[@]}") < 200000"
}

is_part() { [[ " $PARTS " == *" $1 "* ]]; }

main() {
    local begin=$SECONDS
    "$AIPASS_ROOT/etc/install-deps.sh" build run bench
    trap stop_all EXIT
    trap 'exit 130' INT TERM
    start_all
    echo "AIPass Hub against nginx as a plain proxy; $(nproc) processors, everything over loopback"
    # Whoever else computes here disturbs every number below.
    echo "load average before: $(cut -d' ' -f1 /proc/loadavg)"
    sleep 1
    IDLE_RSS=$(memory_of gateway Rss max)
    IDLE_PSS=$(memory_of gateway Pss)
    if is_part requests; then measure_requests; fi
    if is_part big; then measure_big_body; fi
    if is_part failing; then measure_failing_channels; fi
    if is_part limits; then measure_limits; fi
    if is_part streams; then measure_streams; fi
    if is_part translation; then measure_translation; fi
    if is_part process; then measure_process; fi
    printf '\nmeasured in %d s\n' $((SECONDS - begin))
}

main
