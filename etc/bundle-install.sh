#!/bin/sh
# install.sh WEB_ROOT - installs the bundle, from where it lies, for the account that runs this: writes configuration, journal directory and secret key beside the
# program, and pages, .htaccess and aipass.cgi into the web root (public_html, say). Nothing that is there is overwritten but the pages of an earlier version.
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
web=${1:-}
[ -d "$web" ] || { echo "usage: install.sh WEB_ROOT, for example: $here/install.sh ~/public_html" >&2; exit 2; }
web=$(cd "$web" && pwd -P)
case $here/ in "$web"/*) echo "install.sh: $here lies in the web root, where anybody could download it: unpack it elsewhere, for example into ~" >&2; exit 1 ;; esac

umask 077
mkdir -p "$here/spool"
[ -e "$here/secret.key" ] || od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >"$here/secret.key"
[ -e "$here/aipass.cnf" ] || cat >"$here/aipass.cnf" <<CNF
[aipass]
host     = localhost
database = CHANGE_ME
user     = CHANGE_ME
password = CHANGE_ME
CNF
[ -e "$here/aipass.conf" ] || cat >"$here/aipass.conf" <<CONF
db_option_file     = $here/aipass.cnf
db_connections_max = 1
spool_dir          = $here/spool
secret_key_file    = $here/secret.key
log                = file:$here/gateway.log
CONF
# Where Debian keeps the authorities that sign providers' certificates, the library finds them by itself.
for ca in /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
    [ ! -e /etc/ssl/certs/ca-certificates.crt ] && [ -e "$ca" ] && ! grep -q '^tls_ca_file' "$here/aipass.conf" || continue
    echo "tls_ca_file        = $ca" >>"$here/aipass.conf"
done
umask 022
chmod 711 "$here"
if [ -e "$web/.htaccess" ] && ! cmp -s "$here/public_html/.htaccess" "$web/.htaccess"; then
    cp "$here/public_html/.htaccess" "$web/.htaccess.aipass"
    echo "There is a .htaccess in $web: add to it what stands in $web/.htaccess.aipass"
else
    cp "$here/public_html/.htaccess" "$web/.htaccess"
fi
(cd "$here/public_html" && find . -type f ! -name .htaccess) | while read -r file; do
    mkdir -p "$web/$(dirname "$file")"
    cp "$here/public_html/$file" "$web/$file"
done
printf '#!/bin/sh\nexec %s/aipass.fcgi --config %s/aipass.conf\n' "$here" "$here" >"$web/aipass.cgi"
chmod 755 "$web/aipass.cgi"
echo "Next: 1. put the database's name, user and password into $here/aipass.cnf
      2. $here/aipassctl migrate --config $here/aipass.conf   (or paste sql/*.sql in phpMyAdmin, in their order)
      3. $here/aipassctl doctor --config $here/aipass.conf --url https://YOUR-SITE
      4. cron, every minute: $here/aipassctl upkeep --config $here/aipass.conf"
