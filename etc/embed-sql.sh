#!/bin/sh
# embed-sql.sh FILE... - prints the C source of the table `migrations` (db/migrate.h): one row for each file, in the order given.
# NNNN_name.sql gets the version NNNN; a file without a number is optional and gets version 0.
set -eu

last=0
echo '/* Made by etc/embed-sql.sh. */'
echo '#include "db/migrate.h"'
echo
echo 'const struct migration migrations[] = {'
for file in "$@"; do
    name=$(basename "$file" .sql)
    version=0
    case $name in
    [0-9][0-9][0-9][0-9]_?*)
        version=${name%%_*}
        while [ "${version#0}" != "$version" ]; do
            version=${version#0}
        done
        name=${name#*_}
        if [ "$version" -le "$last" ]; then
            echo "$file: version $version follows version $last" >&2
            exit 1
        fi
        last=$version
        ;;
    [0-9]*)
        echo "$file: a migration is called NNNN_name.sql" >&2
        exit 1
        ;;
    esac
    printf '    {%d, "%s",\n' "$version" "$name"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/     "/' -e 's/$/\\n"/' "$file"
    echo '    },'
done
echo '    {0, NULL, NULL},'
echo '};'
