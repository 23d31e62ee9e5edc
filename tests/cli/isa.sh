#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A training run with the instruction set capped (our kernels and oneDNN's) gives the first losses of the uncapped run, in f32
# and in mixed precision, which below avx512_bf16 computes in f32.
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
        optimizer=adamw learning_rate=1e-3 workers=0 enable_amp="$2" run="$work/$1-$2" --quiet >/dev/null
    cut -d, -f4 "$work/$1-$2/metrics.csv" | sed -n 2,4p
}
for amp in false true; do
    most=0.02
    [ $amp = false ] || most=0.06
    losses best $amp > "$work/best.txt"
    [ "$(wc -l < "$work/best.txt")" = 3 ] || { echo "no losses from the uncapped run"; exit 1; }
    for isa in avx512 avx2 base; do
        losses $isa $amp > "$work/$isa.txt"
        paste "$work/best.txt" "$work/$isa.txt" | awk -v isa="$isa, enable_amp=$amp" -v most=$most '
            { d = $1 - $2; if (d < 0) d = -d; if (!(d < most * NR * NR)) { print isa ": loss " $2 " in step " NR ", uncapped " $1; bad = 1 } }
            END { exit bad }'
        echo "$isa, enable_amp=$amp: $(tr '\n' ' ' < "$work/$isa.txt")"
    done
done

# Which kernels carry out bf16 is the cap's doing, in our kernels and in oneDNN's.
operations() {
    FOVEA_ISA=$1 "$FOVEA" bench resnet20 infer dtype=bf16 input=3x32x32 batch_size=2 steps=1 warmup=1 classes=10 --ops |
        grep '^\(conv2d_act\|linear\) '
}
for isa in avx512 avx2 base; do
    if operations $isa | grep -v ' f32 '; then echo "$isa: bf16 that does not go through f32"; exit 1; fi
done
if operations avx2 | grep avx512; then echo "avx2: oneDNN uses more"; exit 1; fi
