#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fovea predict: pictures, folders, standard input; text, JSON, CSV; the same figures as fovea eval; logits as ONNX Runtime's with
# Pillow in front (tests/golden/predict.txt; with FOVEA_PEERS, a Python with onnxruntime and Pillow, for a trained run too). The
# program is $FOVEA.
set -u
. "$(dirname "$0")/common/expect.sh"

# picture FILE R G B: a PPM of 20 x 16 pixels of about one colour.
picture() {
    { printf 'P6\n20 16\n255\n'; i=0; while [ $i -lt 320 ]; do printf "\\$(printf %03o $(($2 + i % 7)))\\$(printf %03o $(($3 + i % 5)))\\$(printf %03o $(($4 + i % 3)))"; i=$((i + 1)); done; } > "$1"
}

mkdir -p "pets/cat" "pets/龙 dragon" "pets/ant,\"s"
n=0
while [ $n -lt 8 ]; do
    picture "pets/cat/$n.ppm" $((20 + n)) $((40 + 12 * n)) $((200 - 9 * n))
    picture "pets/龙 dragon/$n.jpg" $((90 + 9 * n)) $((60 + n)) $((20 + n))
    picture "pets/ant,\"s/$n.ppm" $((90 - 5 * n)) $((60 + 9 * n)) $((90 + n))
    n=$((n + 1))
done
cat > small.json << 'E2'
{"model": "resnet18", "data": {"root": "pets"}, "image_size": 32, "batch_size": 8, "threads": 1, "max_steps": 12, "validate_every": 6,
 "augment": {"horizontal_flip": 0.5}, "optimizer": "adamw", "ema_decay": 0.5}
E2
expect train 0 '"step": 12' train small.json --json

# ---- forms of input and output
expect one 0 "pets/cat/1.ppm: " predict runs/small pets/cat/1.ppm
also one_says_which "runs/small/checkpoints/best.safetensors (resnet18, step" err
also one_average "moving average" err
also one_total "predicted 1/1 pictures" err
expect latest 0 "latest.safetensors" predict runs/small@latest pets/cat/1.ppm
expect file 0 "pets/cat/1.ppm: " predict runs/small/checkpoints/best.safetensors pets/cat/1.ppm
expect folder 0 "predicted 24/24" predict runs/small pets
cut -d: -f1 out > order
LC_ALL=C sort -c order || fail sorted
expect several 0 "predicted 10/10" predict runs/small "pets/龙 dragon" pets/cat/1.ppm pets/cat/0.ppm
tail -n 1 out | grep -q '^pets/cat/0.ppm' || fail several_order
expect quiet 0 "pets/cat/1.ppm" predict runs/small pets/cat/1.ppm --quiet
[ ! -s err ] || fail quiet_err
input=pets/cat/1.ppm
expect piped 0 "standard input: " predict runs/small -
cut -d' ' -f3- out > piped
input=
expect piped_same 0 "" predict runs/small pets/cat/1.ppm
cut -d' ' -f2- out | cmp -s - piped || fail piped_equal
expect topk 0 "" predict runs/small pets/cat/1.ppm topk=1
grep -q ', ' out && fail topk_one
expect json 0 '"pictures": 24, "predicted": 24, "bad": 0' predict runs/small pets --json
also json_classes '"classes": ["ant,\"s", "cat", "龙 dragon"]' out
[ "$(wc -l < out)" = 1 ] || fail json_one_line
expect logits 0 '"logits": [' predict runs/small pets/cat/1.ppm --json --logits
expect table 0 "table.csv" predict runs/small pets -o table.csv
also table_header "path,class_1,probability_1,class_2,probability_2,class_3,probability_3,error" table.csv
[ "$(wc -l < table.csv)" = 25 ] || fail table_rows
for batch in 1 7 500; do
    expect "batch_$batch" 0 "24/24" predict runs/small pets batch_size=$batch data.workers=2 -o "table$batch.csv"
    # The same classes, probabilities within 1e-4: kernels may differ by batch.
    tr ',' '\n' < table.csv > a; tr ',' '\n' < "table$batch.csv" > b
    paste -d '|' a b | awk -F '|' '$1 != $2 { d = $1 - $2; if (d < 0) d = -d; if ($1 + 0 == 0 || d > 1e-4) { print; bad = 1 } } END { exit bad }' || fail "batch_${batch}_same"
done

# ---- the figures of fovea eval, over the same pictures
for folder in pets/*; do                                   # other names: not the pictures of the split, all of them count
    mkdir -p "other/${folder#pets/}"
    for file in "$folder"/*; do cp "$file" "other/${folder#pets/}/x${file##*/}"; done
done
expect eval 0 '"samples": 24, "of": 24' eval runs/small data=other --json
acc=$(grep -o '"acc": [0-9.e-]*' out | head -n 1 | cut -d' ' -f2)
loss=$(grep -o '"loss": [0-9.e-]*' out | head -n 1 | cut -d' ' -f2)
expect eval_pictures 0 "" predict runs/small other --json
tr '{' '\n' < out | awk -v acc="$acc" -v loss="$loss" '
    # a picture begins with its path, the first "class" after it is the most probable one
    /"path": "/ { truth = $0; sub(/.*"path": "other\//, "", truth); sub(/\/[^\/]*$/, "", truth); first = 1; n++ }
    /"class": "/ {
        class = $0; sub(/.*"class": "/, "", class); sub(/", "index".*/, "", class)
        p = $0; sub(/.*"probability": /, "", p); p += 0
        if (first) right += class == truth
        if (class == truth) sum -= log(p)
        first = 0
    }
    END {
        da = right / n - acc; dl = sum / n - loss
        if (n != 24 || da * da > 1e-12 || dl * dl > 1e-8) { print n, right / n, acc, sum / n, loss; exit 1 }
    }' || fail same_as_eval

# ---- pictures that cannot be read
cp -r pets broken
: > broken/cat/empty.jpg
head -c 40 broken/cat/2.ppm > broken/cat/cut.png
picture "broken/cat/line
end.ppm" 20 40 200
echo text > broken/notes.txt
expect bad_fail 3 "broken/cat/cut.png: truncated PNM" predict runs/small broken -o bad.csv
also bad_remedy "data.on_bad_file=skip" err
[ ! -e bad.csv ] || fail bad_no_table
expect bad_json 3 '"exit_code": 3' predict runs/small broken --json
[ "$(wc -l < out)" = 1 ] || fail bad_json_alone
expect bad_skip 0 "predicted 25/27 pictures" predict runs/small broken data.on_bad_file=skip -o bad.csv
also bad_named "skipped broken/cat/empty.jpg" err
also bad_counted "2 cannot be read" err
also bad_others "1 other files left out" err
also bad_newline 'broken/cat/line\nend.ppm: ' out
also bad_row "broken/cat/empty.jpg,,,,,,,broken/cat/empty.jpg: the file is empty" bad.csv
grep -A1 '^"broken/cat/line$' bad.csv | grep -q '^end.ppm",' || fail bad_quoted
expect bad_skip_json 0 '"predicted": 25, "bad": 2' predict runs/small broken data.on_bad_file=skip --json
expect bad_only 3 "empty.jpg: the file is empty" predict runs/small broken/cat/empty.jpg data.on_bad_file=skip
expect none 3 "nothing/here.jpg: No such file" predict runs/small nothing/here.jpg
mkdir void
expect void 3 "void: no pictures" predict runs/small void
input=small.json
expect piped_text 3 "standard input" predict runs/small -
input=/dev/null
expect piped_empty 3 "standard input: the file is empty" predict runs/small -
input=

# ---- usage
expect usage 2 "as in: fovea predict" predict runs/small
expect usage_nothing 2 "as in: fovea predict" predict
expect usage_table 2 "-o FILE.csv" predict runs/small pets -o out.txt
expect usage_topk 2 "topk=0" predict runs/small pets topk=0
expect usage_classes 2 "classes=7: " predict runs/small pets classes=7
expect usage_key 2 "did you mean" predict runs/small pets batch_siz=3
expect usage_run 3 "there are no weights" predict runs/nothing pets
expect usage_onnx 3 "weights in .onnx files cannot be read" predict model.onnx pets
expect usage_folder 3 "no/such" predict runs/small pets -o no/such/x.csv
head -c 3000 runs/small/checkpoints/best.safetensors > cut.safetensors
expect usage_cut 3 "cut.safetensors" predict cut.safetensors pets
# Names that look like settings or flags: what is there is a path, what may be both an error; ./ and -- leave no doubt.
mkdir "a=b" && cp -r pets a=c
cp pets/cat/1.ppm "a=b/x=y.ppm"
for file in x=y.ppm lr=3.ppm -x.ppm +x.ppm =.ppm; do cp pets/cat/1.ppm "./$file"; done
expect equals 0 "./a=b/x=y.ppm: " predict runs/small "./a=b/x=y.ppm"
expect equals_bare 0 "a=b/x=y.ppm: " predict runs/small "a=b/x=y.ppm"
expect equals_file 0 "x=y.ppm: " predict runs/small x=y.ppm =.ppm
also equals_nothing "=.ppm: " out
expect equals_folder 0 "a=b/x=y.ppm: " predict runs/small a=b
expect equals_glob 0 "predicted 2/2" predict runs/small [=x]*.ppm
expect equals_absent 2 "z: unknown key" predict runs/small x=y.ppm z=y.ppm
expect equals_both 2 "write --lr=3.ppm or ./lr=3.ppm" predict runs/small lr=3.ppm
expect equals_here 0 "./lr=3.ppm: " predict runs/small ./lr=3.ppm
expect equals_setting 2 'lr: "3.ppm" is not a number' predict runs/small x=y.ppm --lr=3.ppm
expect dashes 0 "predicted 5/5" predict runs/small topk=2 -- x=y.ppm lr=3.ppm -x.ppm +x.ppm =.ppm
expect dashes_usage 2 "as in: fovea predict" predict runs/small --
expect minus 2 "unknown flag -x.ppm; for the file write ./-x.ppm" predict runs/small -x.ppm
cp small.json "s=t.json"
expect equals_config 0 '"image_size": 32' config s=t.json
cp -r runs/small "r=1" && cp -r runs/small me@home && mkdir at@ && cp -r runs/small at@/run
expect equals_run 0 "evaluated" eval r=1 data=pets
expect equals_run_latest 0 "latest.safetensors" eval -- r=1@latest
expect at_run 0 "me@home/checkpoints/best" predict me@home pets/cat/1.ppm
expect at_latest 0 "me@home/checkpoints/latest" predict me@home@latest pets/cat/1.ppm
expect at_folder 0 "at@/run/checkpoints/best" predict at@/run pets/cat/1.ppm
expect equals_report 0 "q=2.html" report r=1 runs/small -o q=2.html
expect equals_data 0 "a=c (folder)" data check a=c
expect name 0 "initial ones" predict resnet18 pets/cat/1.ppm classes=4 image_size=32

# ---- from the picture's bytes on, as Pillow and ONNX Runtime; one by one and as a batch of seven
files=$(cut -d' ' -f1 "$root/tests/golden/predict.txt" | sed "s|^|$root/tests/fuzz/corpus/|")
for batch in 1 7; do
    # shellcheck disable=SC2086
    expect "golden_$batch" 0 '"predicted": 7' predict resnet18 classes=10 seed=3 image_size=64 $files batch_size=$batch --json --logits
    grep -o '"logits": \[[^]]*' out | sed 's/.*\[//; s/,//g' > logits
    awk 'NR == FNR { $1 = ""; want[FNR] = $0; next }
         { n = split(want[FNR], a, " "); if (n != 10 || split($0, b, " ") != 10) bad = 1
           for (i = 1; i <= 10; i++) { d = a[i] - b[i]; if (d < 0) d = -d; if (d > worst) worst = d } rows++ }
         END { printf "worst difference %.2g\n", worst; exit !(rows == 7 && !bad && worst <= 1e-4) }' "$root/tests/golden/predict.txt" logits || fail "golden_${batch}_same"
done
if [ -n "${FOVEA_PEERS:-}" ]; then
    "$FOVEA" export runs/small -o small.onnx --quiet || fail export
    "$FOVEA" predict runs/small pets/cat batch_size=7 --json --logits > ours.json 2>/dev/null || fail peers_predict
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$root/tools/golden" "$FOVEA_PEERS" - <<'END' || failed=1
import json, numpy, predict
ours = json.load(open("ours.json"))["predictions"]
paths = [p["path"] for p in ours]
for size in (1, 7):
    theirs = numpy.concatenate([predict.logits("small.onnx", paths[i:i + size]) for i in range(0, len(paths), size)])
    worst = abs(theirs - numpy.array([p["logits"] for p in ours])).max()
    assert worst < 1e-4, (size, worst)
    print(f"trained run, batches of {size}: within {worst:.2g} of Pillow and ONNX Runtime")
END
else
    echo "NOT JUDGED by ONNX Runtime on a trained run: FOVEA_PEERS names no Python with it"
fi
exit $failed
