#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A training run with the instruction set capped (our kernels and oneDNN's) gives the first losses of the uncapped run.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/data"
i=0
while [ $i -lt 48 ]; do
    printf "\\$(printf %03o $((i % 10)))"
    # a picture that a machine without /dev/urandom makes as well: bytes of a linear congruence
    awk -v s=$i 'BEGIN { x = s * 7919 + 17; for (k = 0; k < 3072; k++) { x = (x * 1103 + 12345) % 65536; printf "%c", 33 + int(x / 256) % 90 } }'
    i=$((i + 1))
done > "$work/data/data_batch_1.bin"
cp "$work/data/data_batch_1.bin" "$work/data/test_batch.bin"
printf 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n' > "$work/data/batches.meta.txt"
losses() {
    FOVEA_ISA=$1 "$FOVEA" train model=resnet18 data.format=cifar10 data.root="$work/data" image_size=32 batch_size=16 max_steps=3 \
        optimizer=adamw learning_rate=1e-3 workers=0 run="$work/$1" --quiet >/dev/null
    cut -d, -f4 "$work/$1/metrics.csv" | sed -n 2,4p
}
losses best > "$work/best.txt"
[ "$(wc -l < "$work/best.txt")" = 3 ] || { echo "no losses from the uncapped run"; exit 1; }
for isa in avx2 base; do
    losses $isa > "$work/$isa.txt"
    paste "$work/best.txt" "$work/$isa.txt" | awk -v isa=$isa '
        { d = $1 - $2; if (d < 0) d = -d; if (!(d < 0.02 * NR * NR)) { print isa ": loss " $2 " in step " NR ", uncapped " $1; bad = 1 } }
        END { exit bad }'
    echo "$isa: $(tr '\n' ' ' < "$work/$isa.txt")"
done
