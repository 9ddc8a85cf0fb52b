#!/bin/bash
# etc/docs.sh OUT - makes the documentation: htdocs/ with its Markdown turned into pages, in the directory OUT.
#
# htdocs/docs/pages lists pages and sections. A page is its sections in that order: OUT/docs/NAME.md, with the samples put in, and
# OUT/docs/NAME.html, made from exactly that Markdown by lowdown and highlight. Beside them: search.json, /llms.txt, /llms-full.txt.
#
#   {{samples NAME}}   alone in a line: the files samples/NAME.* , a tab each
#   ```lang Label      blocks with a label that follow each other are tabs
#   ## Title {#id}     every heading has an id of its own that never changes
#   | Parameter |      a table that begins so (or with Error, Header) gets an id for each row: SECTION-NAME
#
# BASE_URL=https://...   is put in the place of the published base URL. A browser shows the host it came from anyway.
set -euo pipefail

ROOT=$(cd "$(dirname "$0")/.." && pwd -P)
SOURCE=$ROOT/htdocs/docs
PUBLISHED=https://api.aipasshub.cloud
BASE_URL=${BASE_URL:-$PUBLISHED}
VERSION=${AIPASS_VERSION:-}

fail() { echo "docs: $*" >&2 && exit 1; }

[ $# = 1 ] || fail "usage: etc/docs.sh OUT"
for tool in lowdown highlight; do
    command -v "$tool" >/dev/null || fail "$tool is missing: etc/install-deps.sh docs"
done
[[ $BASE_URL =~ ^https?://[][A-Za-z0-9._:-]+$ ]] || fail "BASE_URL: expected https://HOST: $BASE_URL"

OUT=$1
NEW=$OUT.new.$$
TMP=$(mktemp -d "${TMPDIR:-/tmp}/aipass-docs.XXXXXXXX")
trap 'rm -rf "$TMP" "$NEW"' EXIT
mkdir -p "$NEW/docs"

pages() { awk '$1 == "page" { print $2 }' "$SOURCE/pages"; }
page_title() { awk -v page="$1" '$1 == "page" && $2 == page { $1 = $2 = ""; sub(/^ +/, ""); print }' "$SOURCE/pages"; }
# page_lines PAGE - its lines of the list: "group TITLE" and sections.
page_lines() { awk -v page="$1" '/^#/ || !NF { next } $1 == "page" { on = $2 == page; next } on' "$SOURCE/pages"; }
page_sections() { page_lines "$1" | grep -v '^group '; }
page_url() { if [ "$1" = index ]; then echo /docs/; else echo "/docs/$1"; fi; }

# ---- Markdown ----

sample_label() {
    case $1 in
    sh) echo 'bash cURL' ;;
    py) echo 'python Python' ;;
    mjs) echo 'js Node.js' ;;
    c) echo 'c C' ;;
    php) echo 'php PHP' ;;
    esac
}

samples() { # NAME
    local kind found=''
    for kind in sh py mjs c php; do
        [ -e "$SOURCE/samples/$1.$kind" ] || continue
        found=yes
        printf '```%s\n' "$(sample_label "$kind")"
        cat "$SOURCE/samples/$1.$kind"
        printf '```\n\n'
    done
    [ -n "$found" ] || fail "samples/$1.* do not exist"
}

section_markdown() { # SECTION
    local line
    [ -r "$SOURCE/$1.md" ] || fail "$1.md is missing"
    while IFS= read -r line; do
        if [[ $line =~ ^\{\{samples\ ([a-z0-9-]+)\}\}$ ]]; then samples "${BASH_REMATCH[1]}"; else printf '%s\n' "$line"; fi
    done <"$SOURCE/$1.md"
    echo
}

# Several blank lines become one, outside of code.
page_markdown() { # PAGE
    local section
    {
        printf '# %s\n\n' "AIPass Hub: $(page_title "$1")"
        for section in $(page_sections "$1"); do section_markdown "$section"; done
    } | sed "s#$PUBLISHED#$BASE_URL#g" | awk '/^```/ { code = !code } code || NF { print; blank = 0; next } !blank { print; blank = 1 }'
}

# ---- HTML ----

# Host and key are words of their own while highlight runs: it would cut them.
hide_words() { sed -e "s#$BASE_URL#AIPASSBASEURL#g" -e 's/YOUR_API_KEY/AIPASSYOURKEY/g'; }
show_words() { sed -e "s#AIPASSBASEURL#<span class=\"base\">$BASE_URL</span>#g" -e 's#AIPASSYOURKEY#<span class="key">YOUR_API_KEY</span>#g'; }

# Takes the code out of a page's Markdown: files TMP/PAGE/n.LANG, and a line CODEBLOCK n LANG LABEL in the text.
take_code() { # PAGE
    local dir=$TMP/$1
    mkdir -p "$dir"
    awk -v dir="$dir" '
        /^```/ && !code { code = 1; n++; lang = substr($1, 4); label = $0; sub(/^[^ ]* ?/, "", label); if (lang == "") lang = "txt"
                          file = dir "/" n "." lang; printf "" > file; print "CODEBLOCK " n " " lang " " label; next }
        /^```/ { code = 0; close(file); next }
        code { print > file; next }
        { print }'
}

# All code of a page in one run. Without colours where there are none to give.
colour_code() { # PAGE
    local dir=$TMP/$1 file
    shopt -s nullglob
    for file in "$dir"/*.*; do
        case $file in
        *.bash | *.sh | *.python | *.js | *.c | *.php | *.json | *.sql | *.toml | *.ini) ;;
        *) sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' "$file" >"$file.html" ;;
        esac
    done
    ( cd "$dir" && for file in *.*; do
        case $file in
        *.html) continue ;;
        *.bash) mv "$file" "${file%.*}.sh" && file=${file%.*}.sh ;;
        *.python) mv "$file" "${file%.*}.py" && file=${file%.*}.py ;;
        *.toml) mv "$file" "${file%.*}.ini" && file=${file%.*}.ini ;;
        esac
        [ -e "$file.html" ] || printf '%s\0' "$file"
    done ) | ( cd "$dir" && xargs -0r highlight --fragment --out-format=html --quiet --outdir=. )
    # Operators need no colour, and addresses in shell lines no numbers.
    set -- "$dir"/*.html
    [ $# = 0 ] || sed -i -E 's#<span class="hl opt">([^<]*)</span>#\1#g' "$@"
    set -- "$dir"/*.sh.html
    [ $# = 0 ] || sed -i -E 's#<span class="hl num">([^<]*)</span>#\1#g' "$@"
}

asset() { printf '/docs/%s?v=%s' "$1" "$(sha256sum <"$SOURCE/$1" | cut -c1-8)"; }

# The Markdown of a page without code, as HTML, with the code put back.
page_main() { # PAGE
    hide_words <"$NEW/docs/$1.md" | take_code "$1" >"$TMP/$1.text.md"
    colour_code "$1"
    lowdown -thtml --html-no-skiphtml --html-no-escapehtml --out-no-smarty --parse-no-autolink --parse-no-intraemph "$TMP/$1.text.md" |
        awk -v dir="$TMP/$1" -v nav="$TMP/$1.nav" -f "$ROOT/etc/docs.awk" | show_words
}

# The navigation: this page's sections under their groups, other pages by name.
page_nav() { # PAGE
    local page line
    echo '<ul class="pages">'
    for page in $(pages); do
        printf '<li><a href="%s"%s>%s</a></li>\n' "$(page_url "$page")" "$([ "$page" != "$1" ] || echo ' aria-current="page"')" "$(page_title "$page")"
    done
    echo '</ul>'
    local open=''
    # A page of one section shows what is in it.
    if [ "$(page_sections "$1" | wc -l)" = 1 ]; then
        [ ! -e "$TMP/$1.nav.sub" ] || { echo '<ul class="sections">' && cat "$TMP/$1.nav.sub" && echo '</ul>'; }
        return
    fi
    while read -r line; do
        if [[ $line == group\ * ]]; then
            [ -z "$open" ] || echo '</ul>'
            printf '<p class="group">%s</p>\n<ul class="sections">\n' "${line#group }"
            open=yes
        else
            grep -m1 "href=\"#$(section_id "$line")\"" "$TMP/$1.nav" || fail "$line.md: its first heading is not in the page"
        fi
    done < <(page_lines "$1")
    [ -z "$open" ] || echo '</ul>'
}
section_id() { sed -n 's/^## .*{#\([a-z0-9-]*\)}$/\1/p;T;q' "$SOURCE/$1.md"; }

page_html() { # PAGE
    local title description
    title=$(page_title "$1")
    description=$(page_description "$1")
    cat <<HTML
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title - AIPass Hub</title>
<meta name="description" content="$description">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<link rel="alternate" type="text/markdown" href="/docs/$1.md">
<link rel="stylesheet" href="$(asset docs.css)">
<script src="$(asset theme.js)"></script>
<script src="$(asset docs.js)" defer></script>
</head>
<body data-page="$1">
<a class="skip" href="#main">Skip to the text</a>
<header class="top">
<a class="brand" href="/docs/">AIPass Hub <span>Docs</span></a>
<div class="tools" id="tools"></div>
</header>
<div class="columns">
<nav class="side" aria-label="Contents">
<details open>
<summary>Contents</summary>
$(page_nav "$1")
</details>
</nav>
<main id="main" tabindex="-1">
$(cat "$TMP/$1.main")
</main>
<aside class="rail" aria-label="This page">
<ul class="files">
<li><a href="/docs/$1.md">This page as Markdown</a></li>
<li><a href="/openapi.json">OpenAPI description</a></li>
<li><a href="/llms.txt">llms.txt, for agents</a></li>
</ul>
</aside>
</div>
<footer>AIPass Hub${VERSION:+ $VERSION}. <a href="/docs/#support">Support</a></footer>
</body>
</html>
HTML
}

page_description() {
    case $1 in
    index) echo "One API for many AI models: OpenAI, Anthropic and Gemini formats, streaming, prices, errors, and samples in cURL, Python, Node.js, C and PHP." ;;
    prices) echo "What each model of this host costs, read from its own model list." ;;
    admin) echo "Install and run AIPass Hub: web server, database, SQL cookbook, backups, upgrades, outages, security." ;;
    *) echo "Every table and column of AIPass Hub's database, with its meaning." ;;
    esac
}

# ---- for search and agents ----

search_index() {
    local page
    for page in $(pages); do
        awk -v url="$(page_url "$page")" -v page="$(page_title "$page")" -f "$ROOT/etc/docs-search.awk" "$NEW/docs/$page.md"
    done | awk 'BEGIN { print "[" } NR > 1 { print last "," } { last = $0 } END { print last; print "]" }'
}

llms() { sed "s#$PUBLISHED#$BASE_URL#g" "$SOURCE/llms.txt"; }
llms_full() {
    local page
    for page in $(pages); do cat "$NEW/docs/$page.md" && echo; done
}

main() {
    local page
    cp "$ROOT"/htdocs/*.* "$NEW/"
    cp "$SOURCE"/*.css "$SOURCE"/*.js "$NEW/docs/"
    sed -i "s#$PUBLISHED#$BASE_URL#g" "$NEW/openapi.json"
    for page in $(pages); do
        page_markdown "$page" >"$NEW/docs/$page.md"
        page_main "$page" >"$TMP/$page.main"
        page_html "$page" >"$NEW/docs/$page.html"
    done
    search_index >"$NEW/docs/search.json"
    llms >"$NEW/llms.txt"
    llms_full >"$NEW/llms-full.txt"
    gzip -9nk "$NEW"/docs/*
    # One after the other is served, never a mixture.
    rm -rf "$OUT.old.$$"
    [ ! -e "$OUT" ] || mv "$OUT" "$OUT.old.$$"
    mv "$NEW" "$OUT"
    rm -rf "$OUT.old.$$"
}

main
