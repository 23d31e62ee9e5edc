#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the programs of examples/ against the installed library (shared and static) and runs them. own_model's losses are
# compared with PyTorch's (tests/golden/own_model.txt); own_trainer must learn, and go on. Argument: source folder.
. "$(dirname "$0")/common/installed.sh"

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
