#!/bin/bash
# tests/fuzz/run.sh clang|replay - fuzzes each target of tests/fuzz for FUZZ_SECONDS (60). The last line is 'N passed, N failed'.
#
# clang   libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer. What it learns is kept in build-fuzz-clang/corpus
# replay  the seeds, and inputs bent from them in a way that is the same each time, with gcc and the same sanitizers
#
# Seeds are the files of tests/golden, as requests of every client and as answers of every provider, and tests/fuzz/corpus, where
# inputs that once found something stay. FUZZ_TARGETS="sse request" runs only these.
set -euo pipefail

cd "$(dirname "$0")/../.."
HOW=${1:?clang or replay}
SECONDS_EACH=${FUZZ_SECONDS:-60}
DIR=$PWD/build-fuzz-$HOW
SEEDS=$DIR/seeds
INPUT_BYTES_MAX=16384
CLIENTS=(openai-chat openai-responses anthropic gemini)
PASSED=0 FAILED=0
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1

targets() {
    local file
    for file in tests/fuzz/fuzz_*.c; do
        file=${file#tests/fuzz/fuzz_}
        [ "$file" = kit.c ] || echo "${file%.c}"
    done
}

# seed TARGET NAME FILE BYTE... - the file behind bytes that say what it is.
seed() {
    local out=$SEEDS/$1/$2 file=$3 byte
    shift 3
    { for byte in "$@"; do printf '%b' "\\x$(printf %x "$byte")"; done && cat "$file"; } >"$out"
}

# seed_answer FORM SUFFIX BITS - the answers of all providers, for all clients that stream or not.
seed_answers() {
    local to from file
    for to in 0 1 2 3; do
        file=tests/golden/$1/${CLIENTS[to]}.$2
        seed reader "$1-$to" "$file" "$to" 0 "$(($3 ? 1 : 0))" 40
        for from in 0 1 2 3 4; do
            seed answer "$1-$to-$from" "$file" "$from" "$to" "$3" 99
            seed answer "$1-$to-$from-s" "$file" "$from" "$to" $(($3 | 1)) 7
        done
    done
    cp "$file" "$SEEDS/jscan/$1"
}

make_seeds() {
    local file name from to
    rm -rf "$SEEDS"
    for name in $(targets); do mkdir -p "$SEEDS/$name" "$DIR/corpus/$name"; done
    for from in 0 1 2 3; do
        for file in tests/golden/requests/"${CLIENTS[from]}".*.json; do
            name=$(basename "$file" .json)
            for to in 0 1 2 3; do seed request "$name-$to" "$file" "$from" "$to" $((to * 5)) 0; done
            cp "$file" "$SEEDS/jscan/$name"
        done
    done
    seed_answers answers json 0
    seed_answers streams sse 4
    for file in tests/golden/streams/*.sse; do seed sse "$(basename "$file")" "$file" 3 9; done
    printf 'xaip1.anthropic.model.-..payload' >"$SEEDS/signature/envelope"
    printf 'get_weather\nget.weather\nf:a\n\n1st\nget_weather' >"$SEEDS/tool_names/names"
    for name in $(targets); do
        [ ! -d "tests/fuzz/corpus/$name" ] || cp tests/fuzz/corpus/"$name"/* "$SEEDS/$name/"
    done
}

fuzz() {
    cd "$DIR/found"
    if [ "$HOW" = clang ]; then
        "$DIR/tests/fuzz/fuzz_$1" -max_total_time="$SECONDS_EACH" -max_len="$INPUT_BYTES_MAX" -timeout=20 -rss_limit_mb=3000 \
            -print_final_stats=1 -artifact_prefix="$DIR/found/$1-" "$DIR/corpus/$1" "$SEEDS/$1"
    else
        "$DIR/tests/fuzz/fuzz_$1" --seconds "$SECONDS_EACH" "$SEEDS/$1" && return
        mv fuzz-found "$1-found" && return 1
    fi
}

main() {
    local name log
    mkdir -p "$DIR/logs" "$DIR/found"
    make -s -j2 SAN= FUZZ="$HOW" fuzz-targets
    make_seeds
    for name in ${FUZZ_TARGETS:-$(targets)}; do
        log=$DIR/logs/$name.log
        if (fuzz "$name") >"$log" 2>&1; then
            PASSED=$((PASSED + 1))
            printf 'ok    %-11s %s\n' "$name" "$(grep -E 'stat::number_of_executed|bent$' "$log" | tr -s ' ' | tr '\n' ' ')"
        else
            FAILED=$((FAILED + 1))
            tail -n 30 "$log"
            echo "FAIL  $name; log: $log; input: $DIR/found"
        fi
    done
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

main
