# shellcheck shell=bash
# Sourced by run.sh: what can be said of the made pages without a server. PAGES is their directory.

GZIP_BYTES_MAX=61440 # a page with all that it loads
REQUESTS_MAX=6

html_pages() { ls "$PAGES"/docs/*.html "$PAGES"/index.html; }

pages_are_valid() {
    local page bad=0
    for page in $(html_pages); do
        # It is older than aria-current.
        ! tidy -quiet -errors --show-warnings yes --drop-empty-elements no "$page" 2>&1 | grep -v 'proprietary attribute "aria-current"' || bad=1
    done
    return $bad
}

# page_ids FILE, page_links FILE
page_ids() { grep -oE ' id="[^"]*"' "$1" | sed 's/ id="//; s/"$//' | sort; }
page_links() { grep -oE ' (href|src)="[^"]*"' "$1" | sed -E 's/ (href|src)="//; s/"$//; s/&amp;/\&/g' | sort -u; }

ids_are_unique() {
    local page twice
    for page in $(html_pages); do
        twice=$(page_ids "$page" | uniq -d)
        [ -z "$twice" ] || { echo "$page: $twice" && return 1; }
    done
}

# file_of PATH - what the web server answers with.
file_of() {
    case $1 in
    /) echo "$PAGES/index.html" ;;
    /docs/) echo "$PAGES/docs/index.html" ;;
    *.*) echo "$PAGES$1" ;;
    *) echo "$PAGES$1.html" ;;
    esac
}

links_lead_somewhere() {
    local page link path file bad=0
    for page in $(html_pages); do
        for link in $(page_links "$page"); do
            case $link in
            data:* | /v1/site) continue ;; # the latter is the gateway's
            \#*) file=$page ;;
            /*) path=${link%%#*} && file=$(file_of "${path%%\?*}") ;;
            *) echo "$page: $link is no path of this host" && bad=1 && continue ;;
            esac
            [ -r "$file" ] || { echo "$page: $link: no such file" && bad=1 && continue; }
            [[ $link != *\#* ]] || grep -qF " id=\"${link#*#}\"" "$file" || { echo "$page: $link: no such anchor" && bad=1; }
        done
    done
    return $bad
}

# An anchor once published stays: others link to it. New ones are added to the list by hand.
anchors_stay() {
    local page id bad=0
    while read -r page id; do
        grep -qF " id=\"$id\"" "$PAGES/docs/$page.html" || { echo "$page#$id is gone" && bad=1; }
    done <"$HERE/anchors.txt"
    return $bad
}

headings_are_anchors() {
    local page bad=0
    for page in "$PAGES"/docs/*.html; do
        ! grep -nE '<h[2-4]( [a-hj-z][^>]*)?>' "$page" || bad=1
    done
    return $bad
}

nothing_comes_from_elsewhere() {
    ! html_pages | xargs grep -nE '<(script|link|img|iframe)[^>]*(src|href)="(https?:)?//' &&
        ! grep -nE '@import|url\(' "$PAGES"/docs/*.css "$PAGES"/*.css
}
nothing_is_inline() {
    ! { html_pages && ls "$ROOT_DIR"/etc/lighttpd-errors/*.html; } | xargs grep -nE '<style|<script>|<script [^>]*>[^<]|style="|[ "]on[a-z]+="|javascript:'
}

pages_are_light() {
    local page rest sum n bad=0
    rest=$(cat "$PAGES"/docs/{docs.css,docs.js,theme.js,search.json}.gz | wc -c)
    for page in index prices admin schema; do
        sum=$(($(wc -c <"$PAGES/docs/$page.html.gz") + rest))
        # And the contacts, or the price list.
        n=$((3 + $(grep -cE '<link rel="stylesheet"|<script src=' "$PAGES/docs/$page.html")))
        echo "$page: $sum bytes, at most $n requests, with the search index"
        [ "$sum" -le "$GZIP_BYTES_MAX" ] && [ "$n" -le "$REQUESTS_MAX" ] || bad=1
    done
    return $bad
}

# Letters only: lowdown and a browser differ in blanks. Labels of tabs are chrome.
plain_text() {
    sed -E 's#<figcaption>[^<]*</figcaption>##g' | sed -E -e ':a' -e 's/<[^<>]*>//g' -e '/<[^>]*$/{N;ba' -e '}' |
        sed -e 's/&#64;/@/g; s/&#60;/</g; s/&#62;/>/g; s/&#38;/\&/g; s/&#47;/\//g; s/&quot;/"/g; s/&#34;/"/g; s/&apos;/'"'"'/g; s/&#39;/'"'"'/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g' | tr -d ' \t\r\n'
}
text_is_the_markdown() {
    local page
    for page in index prices admin schema; do
        sed -n '/^<main/,/^<\/main>/p' "$PAGES/docs/$page.html" | plain_text >"$WORK/html.txt"
        lowdown -thtml --out-no-smarty --parse-no-autolink --parse-no-intraemph "$PAGES/docs/$page.md" | plain_text >"$WORK/md.txt"
        cmp "$WORK/html.txt" "$WORK/md.txt" || return 1
    done
}

underscores_are_no_emphasis() { ! grep -nE '<em>' "$PAGES"/docs/*.html; } # no page needs any

samples_are_all_shown() {
    local file
    for file in "$ROOT_DIR"/htdocs/docs/samples/*; do
        grep -qF "{{samples $(basename "${file%.*}")}}" "$ROOT_DIR"/htdocs/docs/*.md || { echo "$file is in no page" && return 1; }
    done
}

# The examples that were published first: tools and customers have copied them, each stays as it is. Blocks between lines of %%.
first_examples_stay() {
    awk -v page="$PAGES/docs/index.md" '
        BEGIN { RS = "\001"; getline text < page; RS = "\n%%\n" }
        { sub(/\n$/, ""); n++; if (!index(text, $0)) { print "not in the page:\n" $0; bad = 1 } }
        END { exit bad || n < 15 }' "$HERE/contract.txt"
}

# make test-clients runs the programs with the settings of README.md; the pages have each line of them.
programs_are_set_up_as_tested() {
    awk '/^```(sh|toml|json) (claude-code|codex|gemini-cli|openclaw)$/ { on = 1; next } /^```/ { on = 0 } on && NF' "$ROOT_DIR/README.md" >"$WORK/settings"
    [ "$(wc -l <"$WORK/settings")" -gt 20 ] && ! grep -vxFf "$PAGES/docs/index.md" "$WORK/settings"
}

# ---- what the code says ----

code_routes() {
    sed -n 's/^ *{ METHOD_\([A-Z]*\), *\(.*\)/\1 \2/p' "$ROOT_DIR/handlers/routes.c" |
        sed -E 's/^([A-Z]+) MODEL "/\1 "\/models\/{model}/; s/^([A-Z]+) MODEL,/\1 "\/models\/{model}",/; s/^([A-Z]+) "([^"]*)".*/\1 \2/' | sort
}
openapi_routes() {
    jq -r '.paths | to_entries[] | .key as $p | .value | keys[] | ascii_upcase + " " + ($p | sub("^/v1(beta)?/"; "/"))' "$PAGES/openapi.json" | sort
}
openapi_has_every_route() { diff <(code_routes) <(openapi_routes) && [ "$(code_routes | wc -l)" -gt 15 ]; }

openapi_is_sound() {
    jq -e '. as $d
      | [paths(type == "object" and has("$ref")) as $p | getpath($p)["$ref"]] as $refs
      | ([.paths[][] | .operationId] | length == (unique | length))
        and ($refs | all(ltrimstr("#/") / "/" | . as $k | $d | getpath($k) != null))
        and ([.components.schemas | keys[] | "#/components/schemas/" + .] - $refs | length == 0)
        and ([.paths[][] | .summary != null and (.tags | length == 1) and (.responses | has("default"))] | all)
        and (.paths | to_entries | all(.key as $k | .value | all(
              ([$k | scan("\\{([a-z]+)\\}")[0]]) == [(.parameters // [])[] | select(.in == "path") | .name])))
        and (.openapi | startswith("3.1"))' "$PAGES/openapi.json"
}

# The words that base/err.c can send, and those of the table.
error_table_is_complete() {
    diff <(sed -n '/^#define INTERNAL/,/^};/p' "$ROOT_DIR/base/err.c" |
        sed -nE 's/.*"([a-z_]*)", *(RETRY|0|flags).*/\1/p; s/.*UNAVAILABLE, *RETRY.*/service_unavailable/p; s/.*LIMITED, *RETRY.*/rate_limit_exceeded/p' |
        grep . | sort -u) <(sed -n 's/^| `\([a-z_]*\)` |.*/\1/p' "$ROOT_DIR/htdocs/docs/errors.md" | grep -v '^upgrade_required$' | sort -u)
}
