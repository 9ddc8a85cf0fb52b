#!/bin/bash
# tests/docs/schema.sh [--write] - htdocs/docs/schema.md from the COMMENTs of all tables and views. To stdout; or with --write into the file,
# for which it starts a database of its own. Sourced, it gives schema_markdown, which asks the database of etc/stack.sh.

schema_query() { stack_sql -e "$1"; }

schema_tables() {
    schema_query "SELECT table_name, table_comment FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY table_name"
}
schema_columns() { # TABLE
    schema_query "SELECT CONCAT('| \`', column_name, '\` | ',
          REPLACE(column_type, ''',''', ''', '''), IF(is_nullable = 'YES', ', or NULL', ''), ' | ',
          REPLACE(REPLACE(column_comment, '|', '/'), '<', '&lt;'), IF(column_key = 'PRI', ' (primary key)', ''), ' |')
        FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '$1' ORDER BY ordinal_position"
}
schema_keys() { # TABLE
    schema_query "SELECT CONCAT('\`', column_name, '\` refers to [', referenced_table_name, '](#table-', REPLACE(referenced_table_name, '_', '-'), ')')
        FROM information_schema.key_column_usage
        WHERE table_schema = DATABASE() AND table_name = '$1' AND referenced_table_name IS NOT NULL ORDER BY column_name" |
        awk '{ text = text (NR > 1 ? "; " : "") $0 } END { if (NR) print text "." }'
}

schema_markdown() {
    local table comment
    cat <<'MD'
## Schema reference {#schema}

Every table and column, as their COMMENTs in the database say: `SHOW FULL COLUMNS FROM accounts` tells the same. Money is DECIMAL(18,9) in US dollars, times are UTC, NULL means no limit. What to type: [SQL cookbook](/docs/admin#cookbook).

MD
    while IFS=$'\t' read -r table comment; do
        printf '### %s {#table-%s}\n\n%s.\n\n| Column | Type | Meaning |\n| --- | --- | --- |\n' "$table" "${table//_/-}" "$comment"
        schema_columns "$table" || return 1
        printf '\n'
        schema_keys "$table" | sed '$a\\'
    done < <(schema_tables)
    cat <<'MD'
### Views {#views}

They are optional and read-only; each can be rebuilt by `aipassctl migrate`.

| View | Columns |
| --- | --- |
MD
    schema_query "SELECT CONCAT('| \`', table_name, '\` | ', GROUP_CONCAT(column_name ORDER BY ordinal_position SEPARATOR ', '), ' |')
        FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name LIKE 'v\\_%' GROUP BY table_name ORDER BY table_name"
}

schema_write() {
    AIPASS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
    AIPASS_BUILD=${AIPASS_BUILD:-$AIPASS_ROOT/build}
    # shellcheck source=etc/stack.sh
    . "$AIPASS_ROOT/etc/stack.sh"
    dir=$AIPASS_BUILD/tmp/schema.$$
    trap 'stack_stop; rm -rf "$dir"' EXIT
    stack_init "$dir" && stack_start_database && stack_migrate && schema_markdown >"$dir/schema.md" || return 1
    mv "$dir/schema.md" "$AIPASS_ROOT/htdocs/docs/schema.md"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    [ "${1:-}" = --write ] || { echo "usage: tests/docs/schema.sh --write" >&2 && exit 2; }
    schema_write
fi
