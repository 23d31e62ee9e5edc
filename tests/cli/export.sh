#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fovea export: a run, a weight file, a model by name; texts, JSON, exit codes, metadata. The program is $FOVEA. Where
# FOVEA_PEERS names a Python with onnx and onnxruntime, the files are judged by them.
set -u
. "$(dirname "$0")/common/expect.sh"

batch() {
    : > "$1"
    i=0
    while [ $i -lt "$2" ]; do
        printf "\\00$((i % 8))" >> "$1"
        head -c 3072 /dev/zero | tr '\0' "\\$((i % 8 + 1))" >> "$1"
        i=$((i + 1))
    done
}
mkdir data
for k in 1 2 3 4 5; do batch data/data_batch_$k.bin 8; done
batch data/test_batch.bin 8
printf 'airplane\nauto"mobile\nO'"'"'bird\ncat\n飞机\ndog\nfrog\nhorse\nship\ntruck\n' > data/batches.meta.txt

expect train 0 "" train model=resnet18 model_args.stem=cifar data=data batch_size=8 max_steps=1 run=runs/r normalize.mean=0.4,0.45,0.5 --quiet
expect run 0 "runs/r/best.onnx" export runs/r
expect opset 0 "opset 11" export runs/r opset=11 -o eleven.onnx
expect weights 0 "latest.onnx" export runs/r/checkpoints/latest.safetensors
expect latest 0 "runs/r/latest.onnx" export runs/r@latest
expect json 0 '"opset": 17, "input": [3, 32, 32], "classes": 10' export runs/r --json -o json.onnx
expect name 0 "initial ones" export resnet18 input=3x64x48 classes=3 opset=13 model_args.stem=cifar -o name.onnx
expect default_path 0 "resnet34.onnx" export resnet34 classes=2 input=3x32x32
expect kept 0 "" export runs/r --keep-batch-norm -o kept.onnx
also kept_node BatchNormalization kept.onnx
for text in "{0: 'airplane', 1: 'auto\"mobile', 2: 'O\\'bird'" '飞机' '[0.4, 0.45, 0.5]' '[32, 32]' imgsz resize crop_pct mean std batch_size conv1.weight; do
    also "metadata $text" "$text" runs/r/best.onnx
done
# How picture files became pixels: key and value, as protocol buffers have them side by side.
for pair in 'alpha\022\004drop' 'exif_orientation\022\004true' 'jpeg_scale\022\005false'; do
    also "metadata $pair" "$(printf "$pair")" runs/r/best.onnx
done
expect pixels_train 0 "" train model=resnet20 data=data batch_size=8 max_steps=1 run=runs/p data.alpha=white data.exif_orientation=false data.jpeg_scale=true --quiet
expect pixels 0 "" export runs/p
for pair in 'alpha\022\005white' 'exif_orientation\022\005false' 'jpeg_scale\022\004true'; do
    also "metadata $pair" "$(printf "$pair")" runs/p/best.onnx
done
grep -qa BatchNormalization runs/r/best.onnx && fail folded

expect bad_opset 2 "opset" export runs/r opset=18
expect bad_opset_text 2 "opset" export runs/r opset=x
expect bad_name 2 'did you mean "resnet18"' export resnet19
expect bad_run 3 "there are no weights" export runs/nothing
expect bad_key 2 "image_size" export runs/r image_siz=3
expect bad_classes 2 "has 10" export runs/r classes=5
expect no_model 2 "one run" export
expect no_folder 3 "no/such" export runs/r -o no/such/x.onnx
head -c 3000 runs/r/checkpoints/latest.safetensors > cut.safetensors
expect cut 3 "cut.safetensors" export cut.safetensors
[ ! -e no ] && [ ! -e cut.onnx ] || fail "left behind"

if [ -n "${FOVEA_PEERS:-}" ]; then
    mkdir all
    cp runs/r/best.onnx all/
    mv ./*.onnx all/
    "$FOVEA_PEERS" "$root/tools/onnx_check.py" all || failed=1
    "$FOVEA_PEERS" - <<'END' || failed=1
import ast, json, onnx
model = onnx.load("all/best.onnx", load_external_data=False)
meta = {p.key: p.value for p in model.metadata_props}
names = ast.literal_eval(meta["names"])
assert list(names.values()) == json.loads(meta["classes"]), names
assert names[2] == "O'bird" and names[4] == "飞机" and len(names) == 10, names
assert json.loads(meta["mean"]) == [0.4, 0.45, 0.5] and json.loads(meta["imgsz"]) == [32, 32]
assert {"alpha", "exif_orientation", "jpeg_scale", "resize", "crop_pct", "interpolation", "std", "range", "channels", "task", "output"} <= set(meta), meta
print("metadata: ok")
END
else
    echo "NOT JUDGED by onnx and ONNX Runtime: FOVEA_PEERS names no Python with them"
fi
exit $failed
