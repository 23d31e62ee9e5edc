#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the build into a temporary place, builds the programs of examples/ against it as a user would (pkg-config; shared and
# static) and runs them. own_model's losses are compared with PyTorch's (tests/golden/own_model.txt); own_trainer must learn,
# and go on. Argument: source folder. The working folder is one below the build folder, as ctest has it; BUILD overrides.
set -eu
source=$1
build=${BUILD:-$(cd .. && pwd)}
[ -f "$build/CMakeCache.txt" ] || { echo "examples: $build is no build folder" >&2; exit 1; }
command -v pkg-config >/dev/null || { echo "skipped: no pkg-config"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
cc=$(cached CMAKE_C_COMPILER)
sanitize=$(cached FOVEA_SANITIZE)
flags=${sanitize:+-fsanitize=$sanitize}

DESTDIR=$work cmake --install "$build" > "$work/install.log" || { cat "$work/install.log"; exit 1; }
pc=$(find "$work" -name fovea.pc)
lib=$(dirname "$(find "$work" -name libfovea.a)")
# The staged copy is seen through the sysroot; libraries of the system stay visible.
PKG_CONFIG_PATH=$(dirname "$pc")
PKG_CONFIG_SYSROOT_DIR=$work
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR

# check NAME: the program $work/NAME must print what PyTorch computed, to 1e-9.
check() {
    LD_LIBRARY_PATH=$lib "$work/$1" > "$work/$1.txt" || { cat "$work/$1.txt"; exit 1; }
    awk -v name="$1" '
        NR == FNR { want[FNR] = $0; n = FNR; next }
        {
            lines = FNR
            split(want[FNR], a, " "); split($0, b, " ")
            if (a[1] != "step") { if ($0 != want[FNR]) { print name ": " $0; bad = 1 } next }
            off = a[4] - b[4]; if (off < 0) off = -off
            if (b[2] != a[2] || !(off <= 1e-9)) { print name ": \"" $0 "\", PyTorch: \"" want[FNR] "\""; bad = 1 }
        }
        END { if (lines != n) { print name ": " lines + 0 " lines, expected " n; bad = 1 } if (!bad) print name ": ok"; exit bad }
    ' "$source/tests/golden/own_model.txt" "$work/$1.txt"
}

# shellcheck disable=SC2046,SC2086
"$cc" $flags -Wall -Wextra -Werror "$source/examples/own_model.c" -o "$work/shared" $(pkg-config --cflags --libs fovea) -lm
# shellcheck disable=SC2046,SC2086
"$cc" $flags -Wall -Wextra -Werror "$source/examples/own_trainer.c" -o "$work/trainer" $(pkg-config --cflags --libs fovea) -lm
# trainer RUN: what it prints; it must end well.
trainer() { LD_LIBRARY_PATH=$lib "$work/trainer" "$work/$1" > "$work/trainer.txt" 2>&1 || { cat "$work/trainer.txt"; exit 1; }; }
trainer stripes
awk '/^step 90 of 90: worst_class/ { last = $6 } END { exit !(last >= 0.9) }' "$work/trainer.txt" || { echo "own_trainer: it did not learn"; cat "$work/trainer.txt"; exit 1; }
head -n 1 "$work/stripes/metrics.csv" | grep -q ',val_worst_class$' || { echo "own_trainer: no column val_worst_class"; exit 1; }
trainer stripes
[ ! -s "$work/trainer.txt" ] || { echo "own_trainer: a finished run went on"; cat "$work/trainer.txt"; exit 1; }
echo "own_trainer: ok"

readelf -d "$work/shared" | grep -q 'NEEDED.*libfovea' || { echo "own_model: not linked with the shared library"; exit 1; }
check shared

rm "$lib"/libfovea.so*
# shellcheck disable=SC2046,SC2086
"$cc" $flags "$source/examples/own_model.c" -o "$work/static" $(pkg-config --static --cflags --libs fovea)
check static

for example in "$source"/examples/*.c; do
    lines=$(wc -l < "$example")
    [ "$lines" -lt 100 ] || { echo "$example: $lines lines; an example is to stay below 100"; exit 1; }
done
