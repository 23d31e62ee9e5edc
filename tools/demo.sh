#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The steps of `./dev demo`: tools/demo.sh PROGRAM FOLDER
# A step whose result is there is left out, so a demo that was interrupted goes on, and one that is done shows its table. Tests make
# it small: FOVEA_DEMO_SET and FOVEA_DEMO_TRAIN hold key=value settings of the picture set and of the training.
set -eu
fovea=$1 demo=$2
config=$(dirname "$0")/../configs/demo.json
set_keys="per_class=800 val=0.1 test=0.2 ${FOVEA_DEMO_SET:-}"
train_keys=${FOVEA_DEMO_TRAIN:-}
run=$demo/run
begin=$(date +%s)

step() { printf '\n== %s\n' "$*"; }

# keep FILE COMMAND...: the command's output as FILE, unless it is there: as a whole or not at all.
keep() {
    file=$1
    shift
    [ -s "$file" ] || { "$@" > "$file.part" && mv "$file.part" "$file"; }
}

# number KEY FILE: what stands behind "KEY": in a JSON file.
number() { sed -n "s/.*\"$1\": *\\([-+.eE0-9]*\\).*/\\1/p" "$2" | head -n 1; }

write_table() {
    awk -v acc="$(sed -n 's/^acc \([0-9.]*\).*/\1/p' "$demo/test.txt")" -v n="$(sed -n 's/^evaluated \([0-9]*\).*/\1/p' "$demo/test.txt")" \
        -v rate="$(number images_per_second "$run/summary.json")" -v seconds="$(number seconds "$run/summary.json")" \
        -v foretold="$(number foretold_bytes "$run/summary.json")" -v peak="$(number peak_bytes "$run/summary.json")" \
        -v run="$run" -v demo="$demo" 'BEGIN {
        printf "test accuracy   %.1f %% of %d pictures that training never saw\n", 100 * acc, n
        printf "training        %.0f s, %.0f images/s\n", seconds, rate
        printf "peak memory     %.0f MB foretold, %.0f MB real\n", foretold / 1e6, peak / 1e6
        printf "model           %s/checkpoints/best.safetensors, %s/planes.onnx\n", run, demo
        printf "report          %s/report.html\n", run }'
}

# Other settings or another version: from the beginning, the old demo beside it.
stamp="$("$fovea" --version) $(cksum < "$config") $set_keys $train_keys"
if [ -e "$demo" ] && [ "$(cat "$demo/made_with" 2> /dev/null)" != "$stamp" ]; then
    rm -rf "$demo.old"
    mv "$demo" "$demo.old"
    echo "settings or version have changed: a new demo; the old one is $demo.old"
fi
mkdir -p "$demo"
echo "$stamp" > "$demo/made_with"
done_before=no
[ ! -s "$demo/table.txt" ] || done_before=yes

# shellcheck disable=SC2086
if [ $done_before = no ]; then
    if [ ! -e "$demo/planes/synth.json" ]; then
        step "pictures of aircraft, a folder for each class, made by fovea synth planes"
        "$fovea" synth planes -o "$demo/planes" $set_keys
    fi
    step "fovea train configs/demo.json"
    "$fovea" train "$config" data="$demo/planes" run="$run" $train_keys
    step "fovea eval $run, on pictures held out for it"
    keep "$demo/test.txt" "$fovea" eval "$run" split=test
    cat "$demo/test.txt"
    step "fovea predict $run, the first picture of every class"
    "$fovea" predict "$run" "$demo"/planes/test/*/00001.png topk=2
    step "fovea export $run: for ONNX Runtime and others"
    [ -s "$demo/planes.onnx" ] || "$fovea" export "$run" -o "$demo/planes.onnx"
    keep "$demo/table.txt" write_table
fi

step "the demo"
cat "$demo/table.txt"
if [ $done_before = yes ]; then echo "It was done before. From the beginning: rm -r $demo"
else echo "All of it took $(($(date +%s) - begin)) s. Now with your own: fovea train configs/folder.json data=DIR"
fi
