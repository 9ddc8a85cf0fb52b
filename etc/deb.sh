#!/bin/bash
# etc/deb.sh BUILD VERSION - make deb: builds aipass and aipass-doc from the tarball of make dist, without signing, and asks lintian.
set -euo pipefail

build=$1 version=$2 work=$1/deb
for program in dh lintian dpkg-buildpackage; do
    command -v "$program" >/dev/null || { echo "make deb needs $program: apt-get install debhelper lintian dpkg-dev fakeroot" >&2 && exit 1; }
done
rm -rf "$work" && mkdir -p "$work"
cp "$build/aipass-$version.tar.gz" "$work/aipass_$version.orig.tar.gz"
tar -C "$work" -xzf "$build/aipass-$version.tar.gz"
# What make dist put in beside the sources is in the tarball: the package builds from there.
(cd "$work/aipass-$version" && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc -b -j2 >"../build.log" 2>&1) || { tail -n 30 "$work/build.log" && exit 1; }
mv "$work"/*.deb "$build"
lintian --fail-on error,warning "$build/aipass_$version"*.deb "$build/aipass-doc_$version"*.deb
ls "$build"/*.deb
