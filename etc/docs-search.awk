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
    if (level == 2) { top = title; section = id }
    where = page (level == 2 ? "" : " / " top)
    next
}
/^\| *-+/ { next }
!/^\|/ { table = "" }
/^\|/ && table == "" { table = $0 ~ /^\| (Parameter|Error|Header) / ? "rows" : "other"; first_told = $0 ~ /^\| Parameter \| Type \| Required/ ? 4 : 2 }
# Parameters, errors and headers are found by their names.
table == "rows" && match($0, /^\| `[^`]*`/) {
    name = substr($0, 4, RLENGTH - 4)
    row = tolower(name)
    gsub(/[^a-z0-9_.-]+/, "-", row)
    gsub(/^[-.]+|[-.]+$/, "", row)
    # What a parameter means, without its type.
    cells = split($0, cell, / \| /)
    rest = ""
    for (i = first_told; i <= cells; i++) rest = rest cell[i] " "
    gsub(/[`|]/, " ", rest)
    gsub(/\]\([^)]*\)|\[/, "", rest)
    gsub(/ +/, " ", rest)
    rows[++n] = "[" json(name) "," json(url "#" section "-" row) "," json(page " / " top) "," json(substr(rest, 1, 160)) "]"
    next
}
NF {
    line = $0
    gsub(/[`*|>]/, " ", line)
    gsub(/\[|\]\([^)]*\)/, "", line)
    gsub(/ +/, " ", line)
    text = text line " "
}
END { flush_entry(); for (k = 1; k <= n; k++) print rows[k] }
