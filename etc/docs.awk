# docs.awk - what lowdown wrote, made into the body of a page: sections, headings that link to themselves, code with tabs, tables
# that scroll by themselves and whose rows have ids. Writes the navigation's entries to the file nav. dir: where the code lies.

function id_of(name) {
    gsub(/<[^>]*>|&[a-z]+;/, "", name)
    gsub(/[^A-Za-z0-9_.-]+/, "-", name)
    sub(/^[-.]+/, "", name)
    sub(/[-.]+$/, "", name)
    return section "-" tolower(name)
}

function print_code(n, lang, label,    file, line, name) {
    file = dir "/" n "." (lang == "bash" ? "sh" : lang == "python" ? "py" : lang == "toml" ? "ini" : lang) ".html"
    name = label == "" ? "" : tolower(label)
    sub(/\.js$/, "", name)
    printf "<figure class=\"code%s\"%s>%s<pre tabindex=\"0\"><code>", lang == "sql" ? " sql" : "", name == "" ? "" : " data-lang=\"" name "\"",
        label == "" ? "" : "<figcaption>" label "</figcaption>"
    while ((getline line < file) > 0) {
        gsub(/class="hl /, "class=\"", line)
        # Colours that nothing needs: spans without one are lighter.
        printf "%s\n", line
    }
    close(file)
    print "</code></pre></figure>"
}

function close_tabs() {
    if (tabs) print "</div>"
    tabs = 0
}

/^<p>CODEBLOCK [0-9]+ / {
    gsub(/<\/?p>/, "")
    label = $0
    sub(/^CODEBLOCK [0-9]+ [^ ]+ ?/, "", label)
    if (label == "") close_tabs()
    else if (!tabs) { print "<div class=\"tabs\">"; tabs = 1 }
    print_code($2, $3, label)
    next
}

/^$/ { if (!tabs) print; next }

{ close_tabs() }

/^<h1/ { sub(/ id="[^"]*"/, "") }

/^<h[2-4] id="/ {
    match($0, /id="[^"]*"/)
    id = substr($0, RSTART + 4, RLENGTH - 5)
    level = substr($0, 3, 1)
    title = $0
    sub(/^<h[2-4][^>]*>/, "", title)
    sub(/<\/h[2-4]>.*/, "", title)
    if (level == 2) {
        section = id
        if (open) print "</section>"
        open = 1
        print "<section aria-labelledby=\"" id "\">"
    }
    plain = title
    gsub(/<[^>]*>/, "", plain)
    if (level < 4) print "<li><a href=\"#" id "\">" plain "</a></li>" > (level == 2 ? nav : nav ".sub")
    if (seen[id]++) print "docs.awk: the id " id " is there twice" > "/dev/stderr"
    print "<h" level " id=\"" id "\"><a href=\"#" id "\">" title "</a></h" level ">"
    next
}

/^<table>/ { print "<div class=\"table\">"; rows = ""; first = 1 }
/^<\/table>/ { print; print "</div>"; next }
/^<tr>/ { in_row = 1; cell = 0; next }
in_row && /^<th[ >]/ {
    if (cell == 0 && first) { rows = $0 ~ />(Parameter|Error|Header)</; first = 0 }
    if (cell == 0) print "<tr>"
    labels[cell] = $0
    gsub(/<[^>]*>/, "", labels[cell])
    sub(/^<th>/, "<th scope=\"col\">")
    cell++
}
in_row && /^<td[ >]/ {
    if (cell == 0) {
        if (rows && match($0, /<code>[^<]*<\/code>/)) {
            name = substr($0, RSTART + 6, RLENGTH - 13)
            id = id_of(name)
            if (seen[id]++) print "docs.awk: the id " id " is there twice" > "/dev/stderr"
            print "<tr id=\"" id "\">"
            $0 = substr($0, 1, RSTART - 1) "<a href=\"#" id "\"><code>" name "</code></a>" substr($0, RSTART + RLENGTH)
        } else
            print "<tr>"
    } else
        sub(/^<td/, "<td data-label=\"" labels[cell] "\"")
    cell++
}
/^<\/tr>/ { in_row = 0 }
{ print }

END {
    close_tabs()
    if (open) print "</section>"
}
