#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ./dev demo with few, small pictures and few steps: all of its results, at once the second time, on after an interruption, anew with
# other settings. The program is $FOVEA, which ./dev takes instead of building.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export FOVEA_DEMO="$work/demo" OMP_WAIT_POLICY=passive
export FOVEA_DEMO_SET="per_class=6 size=32" FOVEA_DEMO_TRAIN="max_steps=3 batch_size=8 image_size=32 threads=1"
failed=0

# demo NAME TEXT...: it ends well, and each TEXT is in its output.
demo() {
    name=$1
    shift
    "$root/dev" demo > "$work/out" 2>&1 || { echo "$name: FAILED, exit code $?"; cat "$work/out"; exit 1; }
    for text in "$@"; do
        grep -qF -- "$text" "$work/out" || { echo "$name: FAILED, without: $text"; cat "$work/out"; failed=1; }
    done
    echo "$name: ran"
}

check() {
    name=$1
    shift
    "$@" || { echo "$name: FAILED: $*"; failed=1; }
}

marks() { find "$work/demo" -type f ! -name made_with -exec ls -li --full-time {} + | sort; }

demo first "32 pictures to train" "3/3" "of 8 pictures that training never saw" "predicted 8/8" "images/s" "foretold" "All of it took" "$work/demo/planes.onnx" "report.html"
for file in planes.onnx run/report.html run/checkpoints/best.safetensors test.txt table.txt; do
    check files [ -s "$work/demo/$file" ]
done
marks > "$work/before"
begin=$(date +%s)
demo second "It was done before" "rm -r $work/demo" "of 8 pictures that training never saw"
[ $(($(date +%s) - begin)) -le 5 ] || { echo "second: FAILED, it took more than 5 s"; failed=1; }
marks > "$work/after"
check kept cmp "$work/before" "$work/after"

# Without the table, as after an interruption at the end: what is there is kept.
cp "$work/demo/table.txt" "$work/table"
rm "$work/demo/table.txt" "$work/demo/planes.onnx"
demo again "is finished at step 3" "All of it took"
check same_table cmp "$work/table" "$work/demo/table.txt"
check exported [ -s "$work/demo/planes.onnx" ]

export FOVEA_DEMO_TRAIN="$FOVEA_DEMO_TRAIN seed=1"
demo changed "the old one is $work/demo.old" "3/3"
check old [ -s "$work/demo.old/table.txt" ]
exit $failed
