#!/bin/bash
# tests/docs/run.sh [--full] - the documentation: its pages, openapi.json, the SQL cookbook, the samples for cURL, on a stack of its own.
# --full adds what takes long: every sample in every language, the gateway's answers against openapi.json, and a browser.
# Prints PASS and FAIL lines; the last line is 'N passed, N failed'.
set -euo pipefail

AIPASS_ROOT=$(cd "$(dirname "$0")/../.." && pwd -P)
ROOT_DIR=$AIPASS_ROOT
AIPASS_BUILD=${AIPASS_BUILD:-$AIPASS_ROOT/build}
HERE=$AIPASS_ROOT/tests/docs
PAGES=$AIPASS_BUILD/htdocs
WORK=$AIPASS_BUILD/tmp/docs-work.$$
TOOLS=$AIPASS_BUILD/docs-tools
# shellcheck source=etc/stack.sh
. "$AIPASS_ROOT/etc/stack.sh"
# shellcheck source=tests/docs/pages.sh
. "$HERE/pages.sh"
# shellcheck source=tests/docs/schema.sh
. "$HERE/schema.sh"
# shellcheck source=tests/docs/served.sh
. "$HERE/served.sh"

# Samples of endpoints that are not built yet; their pages say so.
NOT_BUILT="images.sh video.sh"
PASSED=0 FAILED=0
STACK_SETTINGS='catalog_ms = 500'
PORT_FIRST=$((20000 + RANDOM % 12000)) # below the ports of outgoing connections

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$WORK/check.out" 2>&1; then
        PASSED=$((PASSED + 1))
        echo "PASS docs: $name"
    else
        FAILED=$((FAILED + 1))
        echo "FAIL docs: $name"
        tail -n 25 "$WORK/check.out" | sed 's/^/     /'
    fi
}

check_pages() {
    check "the pages are valid HTML" pages_are_valid
    check "ids are unique" ids_are_unique
    check "links and anchors lead somewhere" links_lead_somewhere
    check "published anchors stay" anchors_stay
    check "every heading is an anchor" headings_are_anchors
    check "nothing comes from elsewhere" nothing_comes_from_elsewhere
    check "no script or style is inline" nothing_is_inline
    check "pages are light" pages_are_light
    check "the text without JavaScript is the Markdown" text_is_the_markdown
    check "names with underscores stay whole" underscores_are_no_emphasis
    check "every sample is in a page" samples_are_all_shown
    check "the first published examples stay" first_examples_stay
    check "programs are set up as they are tested" programs_are_set_up_as_tested
    check "openapi.json has every route, and no other" openapi_has_every_route
    check "openapi.json is sound" openapi_is_sound
    check "the error table is complete" error_table_is_complete
}

check_served() {
    check "pages are served" pages_are_served
    check "pages are compressed" pages_are_compressed
    check "pages have strict headers" pages_have_strict_headers
    check "pages are revalidated" pages_are_revalidated
    check "assets are kept for good" assets_are_kept_for_good
    check "Markdown is served, by name and by Accept" markdown_is_served
    check "agents' files are served" agents_files_are_served
    check "what is called not available is not there" unavailable_is_unavailable
    check "the schema reference is current" schema_is_current
}

check_cookbook() {
    check "the cookbook has 25 tasks" cookbook_has_25_tasks
    check "the cookbook runs as a limited user" cookbook_runs
    check "the cookbook does what it says" cookbook_does_what_it_says
    check "the admin's statements run as a limited user" admin_sql_runs
    check "every setting of a channel has a statement" channel_settings_are_told
    check "the admin's commands run" admin_commands_run
}

check_samples() { # KIND...
    local kind file
    for kind; do
        for file in "$ROOT_DIR"/htdocs/docs/samples/*."$kind"; do
            if [[ " $NOT_BUILT " = *" ${file##*/} "* ]]; then
                check "sample ${file##*/}: its endpoint is not built, and says so" sample_is_refused "$file"
            else
                check "sample ${file##*/}" run_sample "$file"
            fi
        done
    done
}

start() {
    mkdir -p "$WORK"
    stack_init "$AIPASS_BUILD/tmp/docs.$$"
    stack_start_database
    stack_migrate
    stack_start_provider
    stack_start_web "$PORT_FIRST"
}
# The cookbook has run: its channel would be asked first.
load_data() {
    echo "UPDATE channels SET status = 'disabled' WHERE name = 'openai-1';" | stack_sql
    { printf "SET @key = 'sk-aip-docs', @provider_url = '%s/v1';\n" "$STACK_PROVIDER_URL" && cat "$AIPASS_ROOT/etc/demo.sql"; } | stack_sql
}
has_data() { curl -s -m 5 -H 'Authorization: Bearer sk-aip-docs' "$STACK_URL/v1/models" | jq -e '[.data[].id] | contains(["gpt-5", "claude-sonnet-4-6", "gemini-2.5-pro"])'; }

cleanup() {
    trap '' INT TERM HUP
    local dir=$STACK_DIR
    stack_stop
    [ "$FAILED" != 0 ] || rm -rf "$WORK" ${dir:+"$dir"}
}

main() {
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    start || { FAILED=1 && echo "0 passed, 1 failed" && return 1; }
    check_pages
    check_cookbook
    load_data
    stack_until 100 has_data >/dev/null || echo "the data did not take effect"
    sleep 1 # until every process has seen it
    check_served
    check_samples sh
    check "requests in the text are answered" inline_requests_are_answered
    if [ "${1:-}" = --full ]; then
        # shellcheck source=tests/docs/full.sh
        . "$HERE/full.sh"
        check_full
    fi
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ]
}

main "$@"
