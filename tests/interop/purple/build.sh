#!/bin/sh
# Builds the driver of the real pidgin-sipe client and the shim it needs into the folder OUT:
#     build.sh OUT
# Needs libpurple-dev, libxml2-dev, pkg-config and a C compiler.
set -e
out=${1:?usage: build.sh OUT}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
# The libraries of pidgin are old: their headers are compiled with their own warnings.
# shellcheck disable=SC2046
${CC:-cc} -O1 -g -Wall -Wno-deprecated-declarations -Wno-unused-parameter \
    -Wno-cast-function-type $(pkg-config --cflags purple) \
    -o "$out/driver" "$here/driver.c" $(pkg-config --libs purple)
# shellcheck disable=SC2046
${CC:-cc} -O1 -Wall -shared -fPIC $(pkg-config --cflags libxml-2.0) \
    -o "$out/sax1-shim.so" "$here/sax1-shim.c" -ldl
