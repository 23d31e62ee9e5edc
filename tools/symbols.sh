#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The shared library exports exactly the functions of tools/symbols.txt, all of them named fv_*.
# Usage: tools/symbols.sh [BUILD] [--update]   --update rewrites the list.
set -eu
cd "$(dirname "$0")/.."
build=build/check
update=no
for a in "$@"; do
    case $a in
    --update) update=yes ;;
    *) build=$a ;;
    esac
done

library=$build/libfovea.so
[ -e "$library" ] || { echo "symbols: $library is not built" >&2; exit 1; }
exported=$(nm -D --defined-only "$library" | awk '{ print $NF }' | LC_ALL=C sort)

foreign=$(printf '%s\n' "$exported" | grep -v '^fv_' || true)
if [ -n "$foreign" ]; then
    echo "symbols: exported without the prefix fv_:" $foreign >&2
    exit 1
fi
if [ $update = yes ]; then
    printf '%s\n' "$exported" > tools/symbols.txt
    echo "symbols: tools/symbols.txt rewritten"
elif difference=$(printf '%s\n' "$exported" | diff tools/symbols.txt -); then
    echo "symbols: ok"
else
    printf '%s\n' "$difference" >&2
    echo "symbols: the exports differ from tools/symbols.txt (< listed, > exported); on purpose: tools/symbols.sh --update" >&2
    exit 1
fi
