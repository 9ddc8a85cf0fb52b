#!/bin/bash
# etc/bundle.sh BUILD VERSION - make bundle: the program with its libraries for a shared host without a compiler, built in a chroot of Debian 11 so that its
# glibc is old. Needs root and debootstrap; BUNDLE_CHROOT names a chroot that is there already, DEBIAN_MIRROR a mirror, BUNDLE_SUITE another suite.
set -euo pipefail

build=$1 version=$2
suite=${BUNDLE_SUITE:-bullseye}
chroot=${BUNDLE_CHROOT:-$build/chroot/$suite}
name=aipass-$version-linux-$(uname -m)

[ "$(id -u)" = 0 ] || { echo 'make bundle needs root for its chroot' >&2 && exit 1; }
[ -e "$chroot/usr/bin/gcc" ] || etc/debian-root.sh "$chroot" "$suite" gcc make pkg-config libc6-dev libfcgi-dev libcurl4-openssl-dev libmariadb-dev libjson-c-dev libinih-dev \
    libssl-dev libcrypt-dev zlib1g-dev uthash-dev
build=$(cd "$build" && pwd -P)
rm -rf "$chroot/src/build/aipass.fcgi" && mkdir -p "$chroot/src"
find "$chroot/src" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
tar -cf - --exclude=./build --exclude='./build-*' --exclude=./var --exclude=./.git . | tar -xf - -C "$chroot/src"
# DT_RPATH, not DT_RUNPATH: the libraries' own libraries are looked for there, too.
chroot "$chroot" make -C /src -j2 all 'RPATH=-Wl,--disable-new-dtags,-rpath,\$$ORIGIN/lib' >"$build/bundle.log" 2>&1 || { tail -n 30 "$build/bundle.log" && exit 1; }

out=$build/bundle/$name
rm -rf "$out" && mkdir -p "$out/lib" "$out/public_html"
cp "$chroot/src/build/aipass.fcgi" "$chroot/src/build/aipassctl" "$out"
strip "$out/aipass.fcgi" "$out/aipassctl"
# All but what belongs to glibc, which must be the host's own.
chroot "$chroot" ldd /src/build/aipass.fcgi /src/build/aipassctl | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
    grep -vE '/(libc|libm|libdl|libpthread|librt|libresolv|libnsl|libutil|ld-linux[^/]*)[.-]' | while read -r lib; do cp -L "$chroot$lib" "$out/lib"; done
# The client library's plugin for the passwords that MariaDB's users have is built in; those for others lie beside it.
rm -rf "$chroot/src/build/sql" && mkdir "$chroot/src/build/sql"
chroot "$chroot" /src/build/aipassctl migrate --sql /src/build/sql
cp -r "$chroot/src/build/sql" "$out/sql"
pages=htdocs
[ ! -d "$build/htdocs" ] || pages=$build/htdocs
cp -r "$pages/." "$out/public_html"
cp etc/apache/htaccess "$out/public_html/.htaccess"
cp etc/bundle-install.sh "$out/install.sh" && chmod 755 "$out/install.sh"
cp etc/aipass.conf "$out/aipass.conf.example"
glibc=$(objdump -T "$out/aipass.fcgi" "$out/aipassctl" "$out"/lib/*.so* | grep -oE 'GLIBC_[0-9.]+' | sort -Vu | tail -n 1)
sed "s|@GLIBC@|${glibc#GLIBC_}|" etc/bundle-INSTALL.txt >"$out/INSTALL"
cp LICENSE "$out"
tar -C "$build/bundle" --sort=name --owner=0 --group=0 --numeric-owner -czf "$build/$name.tar.gz" "$name"
echo "$build/$name.tar.gz needs glibc ${glibc#GLIBC_}"
