# docs-search.awk - a line of search.json for each heading of a page's Markdown: [title, url, where, text].

function json(s) {
    gsub(/\\/, "\\\\", s)
    gsub(/"/, "\\\"", s)
    gsub(/[\t\r]/, " ", s)
    return "\"" s "\""
}

function flush_entry() {
    if (id != "") print "[" json(title) "," json(url "#" id) "," json(where) "," json(substr(text, 1, 400)) "]"
    text = ""
}

/^```/ { code = !code; next }
code { next }
/^##+ .*\{#/ {
    flush_entry()
    level = index($0, " ") - 1
    match($0, /\{#[^}]*\}/)
    id = substr($0, RSTART + 2, RLENGTH - 3)
    title = substr($0, level + 2, RSTART - level - 3)
    gsub(/`/, "", title)
    if (level == 2) top = title
    where = page (level == 2 ? "" : " / " top)
    next
}
/^\| *-+/ { next }
NF {
    line = $0
    gsub(/[`*|>]/, " ", line)
    gsub(/\[|\]\([^)]*\)/, "", line)
    gsub(/ +/, " ", line)
    text = text line " "
}
END { flush_entry() }
