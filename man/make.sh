#!/bin/bash
# man/make.sh AIPASSCTL SOURCE_DIR OUT_DIR VERSION - the man pages: Markdown with the commands, settings and tables of the program put in, through lowdown.
set -euo pipefail

ctl=$1 source=$2 out=$3 version=$4

# "#name = default" with its comment above becomes a paragraph.
settings() {
    "$ctl" config print | awk '
        /^# ---- / { gsub(/^# ---- | ----$/, ""); print "## " $0 "\n"; help = ""; next }
        /^# / { sub(/^# /, ""); gsub(/[*_<>\[\]`|]/, "\\\\&"); help = help (help == "" ? "" : "\n> ") $0; sub(/^> Allowed/, "Allowed", help); next }
        /^#[a-z_]+ =/ { line = substr($0, 2); gsub(/[*_<>\[\]`|]/, "\\\\&", line); print "**" line "**\n\n> " help "\n"; help = ""; next }
        { help = "" }'
}

# The comments of all tables and columns, as the last migration leaves them.
tables() {
    cat "$source"/db/migrations/*.sql | awk -v q="'" '
        function comment(line) {
            if (!match(line, "COMMENT ?=?" " ?" q)) return ""
            line = substr(line, RSTART + RLENGTH); gsub(q q, "\001", line); sub(q ".*", "", line); gsub("\001", q, line); gsub(/[*_<>\[\]`|]/, "\\\\&", line); return line
        }
        function note(column, text, type) {
            if (!((table, column) in texts)) names[table, ++counts[table]] = column
            texts[table, column] = text; types[table, column] = type
        }
        /^CREATE TABLE/ { table = $0; sub(/^CREATE TABLE (IF NOT EXISTS )?/, "", table); sub(/ .*/, "", table); order[++n] = table; next }
        /^ALTER TABLE/ { table = $3; sub(/;.*/, "", table); next }
        /^\) / { about[table] = comment($0); next }
        /^  (ADD COLUMN|MODIFY)/ { sub(/^  (ADD COLUMN( IF NOT EXISTS)?|MODIFY( COLUMN)?( IF EXISTS)?) /, ""); note($1, comment($0), $2); next }
        /^  [a-z_0-9]+ +[A-Z]/ { if (/COMMENT/) note($1, comment($0), $2) }
        END {
            for (i = 1; i <= n; i++) {
                t = order[i]; shown = t; gsub(/_/, "\\_", shown)
                print "## " shown "\n\n" about[t] ".\n"
                for (j = 1; j <= counts[t]; j++) { c = names[t, j]; shown = c; gsub(/_/, "\\_", shown); k = types[t, c]; sub(/\(.*/, "", k); print "**" shown "** " k "\n\n> " texts[t, c] "\n" }
            }
        }'
}

page() {
    local name=$1 section=$2 marker=${3:-} maker=${4:-}
    {
        if [ -n "$marker" ]; then
            sed "/^@$marker@\$/,\$d" "$source/man/$name.$section.md"
            "$maker"
            sed "1,/^@$marker@\$/d" "$source/man/$name.$section.md"
        else
            cat "$source/man/$name.$section.md"
        fi
    } | lowdown -s -Tman -M title="${name^^}" -M section="$section" -M date=2026-11-22 -M source="AIPass Hub $version" | sed 's/[[:space:]]*$//' |
        awk '/^\.(PP|LP)$/ && before ~ /^\.S[HS]$/ { next } { print; before = last; last = $0 }' >"$out/$name.$section"
}
commands() { "$ctl" manual; }

mkdir -p "$out"
page aipass.fcgi 8
page aipassctl 1 COMMANDS commands
page aipass.conf 5 SETTINGS settings
page aipass-schema 7 TABLES tables
