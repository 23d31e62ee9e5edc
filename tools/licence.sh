#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every source file says in its first three lines that it is under the Apache License 2.0, and LICENSE is that licence.
# Usage: tools/licence.sh [BUILD]   (BUILD is not looked at)
set -eu
cd "$(dirname "$0")/.."
failed=0

grep -q 'Apache License' LICENSE && grep -q 'Version 2.0, January 2004' LICENSE || { echo "licence: LICENSE is not the Apache License 2.0"; failed=1; }

# What git would take, or without git what lies here; data and generated pages have no room for a tag.
files() {
    if git rev-parse --is-inside-work-tree > /dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard
    else
        find . -path './build*' -prune -o -type f -print | sed 's|^\./||'
    fi
}
files > "${TMPDIR:-/tmp}/fovea_files.$$"
trap 'rm -f "${TMPDIR:-/tmp}/fovea_files.$$"' EXIT
n=0
while IFS= read -r file; do
    case $file in
    *.c | *.h | *.sh | *.py | *.cmake | CMakeLists.txt | */Makefile | dev | .ci/*) ;;
    *) continue ;;
    esac
    [ -f "$file" ] || continue
    n=$((n + 1))
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || { echo "$file: no licence tag (SPDX-License-Identifier: Apache-2.0) in its first lines"; failed=1; }
done < "${TMPDIR:-/tmp}/fovea_files.$$"
[ $failed = 1 ] || echo "licence: $n source files, ok"
exit $failed
