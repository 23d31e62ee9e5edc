#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Folders of pictures through the program: training, resuming with the stored split, bad files, evaluation, data check. The
# program is $FOVEA; pictures are made here, and the real ones of ../shared/data are used where they are.
set -u
. "$(dirname "$0")/common/expect.sh"

fail() {
    echo "$1: FAILED"
    failed=1
}

# weights RUN: the bytes of its last tensors, without the header, which names the configuration.
weights() {
    n=$(od -An -tu8 -N8 "$1/checkpoints/latest.safetensors")
    tail -c +$((n + 9)) "$1/checkpoints/latest.safetensors"
}

# picture FILE R G B: a PPM of 20 x 16 pixels of about one colour.
picture() {
    { printf 'P6\n20 16\n255\n'; i=0; while [ $i -lt 320 ]; do printf "\\$(printf %03o $(($2 + i % 7)))\\$(printf %03o $(($3 + i % 5)))\\$(printf %03o $(($4 + i % 3)))"; i=$((i + 1)); done; } > "$1"
}

# ---- a folder for each class, names of every kind
mkdir -p "pets/cat" "pets/龙 dragon"
n=0
while [ $n -lt 10 ]; do
    picture "pets/cat/$n.ppm" $((20 + n)) $((40 + n)) 200
    picture "pets/龙 dragon/$n.jpg" 200 $((60 + n)) $((20 + n))
    n=$((n + 1))
done
mv pets/cat/0.ppm "pets/cat/with
line end.ppm"
echo text > pets/cat/notes.txt
cat > small.json << 'E2'
{"model": "resnet18", "data": {"root": "pets"}, "image_size": 32, "batch_size": 8, "threads": 1, "max_steps": 4, "validate_every": 2,
 "augment": {"random_resized_crop": {"p": 1, "scale": [0.5, 1]}, "horizontal_flip": 0.5, "color_jitter": 0.5}, "optimizer": "adamw"}
E2
expect train 0 '"step": 4' train small.json --json
also train_note "1 files that are no pictures are left out" err
also train_sets "16 for training, 4 for validation" err
also split_file 'path,label,split,fold' runs/small/split.csv
also split_unicode '龙 dragon' runs/small/split.csv
also classes '龙 dragon' runs/small/classes.txt
expect eval 0 "evaluated 4/4" eval runs/small
also eval_note "there is no test set: the validation set is evaluated" err
also eval_columns '龙 dragon                   2 ' out
expect eval_train 0 "evaluated 16/16" eval runs/small split=train
expect eval_same 0 "evaluated 4/4" eval runs/small data=pets/../pets
mkdir copy && cp -r pets copy/ && rm copy/pets/cat/[1-9].ppm
expect eval_whole 0 "evaluated 11/11" eval runs/small data=copy/pets

# ---- the same run for any number of loader threads
for workers in 0 1 2 4; do
    expect "workers_$workers" 0 '"step": 4' train small.json --json data.workers=$workers run=runs/w$workers
done
for workers in 1 2 4; do
    same "same_workers_$workers" runs/w0/metrics.csv runs/w$workers/metrics.csv
    weights runs/w0 > w0
    weights runs/w$workers > wn
    same "same_weights_$workers" w0 wn
done
expect cache 0 '"step": 4' train small.json --json data.cache_mb=10 run=runs/cache
same cache_same runs/w0/metrics.csv runs/cache/metrics.csv

# ---- pictures that came later do not enter a run that goes on; the split stays
cp runs/small/split.csv before.csv
picture pets/cat/late.ppm 90 90 90
expect resume 0 '"step": 6' train runs/small --continue max_steps=6 --json
same resume_split before.csv runs/small/split.csv
cp -r runs/small runs/copy
expect resume_other_key 0 '"step": 7' train runs/copy --continue max_steps=7 data.on_bad_file=skip data.jpeg_scale=true --json
same resume_split_again before.csv runs/copy/split.csv
expect new_split 0 '"step": 8' train runs/copy --continue max_steps=8 data.split.seed=3 --json
grep -q late.ppm runs/copy/split.csv || fail new_split
expect other_split 2 "data.split.seed (0, now 5)" train small.json data.split.seed=5
rm pets/cat/late.ppm

# ---- bad files
: > pets/cat/empty.jpg
head -c 500 "pets/龙 dragon/3.jpg" > "pets/龙 dragon/cut.png"
printf 'RIFF\377\377\377\377WEBPVP8 ' > pets/cat/torn.webp
expect bad_check 3 "3 of 23 pictures cannot be read" data check pets
also bad_check_reason "pets" out
also bad_check_empty "cat/empty.jpg: the file is empty" out
expect bad_check_json 3 '"n_bad": 3' data check pets --json
expect bad_fail 3 "data.on_bad_file" train small.json run=runs/fail epochs=3 max_steps=null
expect bad_skip 0 '"bad_files": ' train small.json run=runs/skip data.on_bad_file=skip epochs=3 max_steps=null --json
also bad_named "skipped cat/empty.jpg: the file is empty" err
also bad_listed "truncated PNM" runs/skip/bad_files.csv
expect bad_eval 0 "evaluated" eval runs/skip split=train
rm pets/cat/empty.jpg "pets/龙 dragon/cut.png" pets/cat/torn.webp

# ---- data that cannot be learned from
mkdir -p one/only && cp pets/cat/1.ppm one/only/
expect one_class 3 "one class only (only)" train small.json data=one run=runs/one
mkdir -p one/empty
expect empty_class 3 'class "empty" has no picture to train on' train small.json data=one run=runs/one
expect absent 3 "does not exist; give data=DIR" train small.json data=nowhere run=runs/one
mkdir nothing
expect nothing 3 "no data that fovea knows" train model=resnet18 data=nothing
expect usage 2 "fovea data check pictures/" data
expect big_batch 0 "batches hold all 16 samples" train small.json batch_size=500 run=runs/big

mkdir -p "odd/two
lines" "odd/$(printf 'escape\033[2J')" && cp pets/cat/[1-3].ppm "odd/two
lines" && cp "pets/龙 dragon"/[4-6].jpg odd/escape*
expect odd 0 "1/1" train small.json data=odd run=runs/odd max_steps=1
[ "$(wc -l < runs/odd/classes.txt)" = 2 ] || fail odd_classes
also odd_shown 'two\nlines' runs/odd/classes.txt
expect odd_eval 0 'two\nlines  ' eval runs/odd split=train
also odd_escape 'escape\x1b[2J' out
expect odd_check 0 'escape\x1b[2J  ' data check odd
expect odd_summary 0 "11,177,538 parameters" summary runs/odd input=3x32x32

expect last 0 "3 steps of 6" train small.json run=runs/short --dry-run batch_size=6 epochs=1 max_steps=null
expect drop_last 0 "2 steps of 6" train small.json run=runs/short --dry-run batch_size=6 epochs=1 max_steps=null data.drop_last=true

# ---- lists
printf 'path,label,split\npets/cat/1.ppm,a,train\npets/cat/2.ppm,b,train\npets/cat/3.ppm,a,train\n"pets/龙 dragon/1.jpg",b,val\n' > list.csv
expect csv 0 "3 for training, 1 for validation" train small.json data=list.csv run=runs/csv
expect csv_eval 0 "evaluated 1/1" eval runs/csv split=val
printf 'path,label\n/etc/passwd,a\n' > bad.csv
expect csv_outside 3 "bad.csv:2: path /etc/passwd leads out" data check bad.csv
expect no_config 0 '"format": "folder"' config data=pets
also no_config_size '"image_size": 224' out

mkdir lists && sed 's,pets/,,' list.csv > lists/list.csv
expect csv_images 0 "4 pictures can be read" data check lists/list.csv data.images=pets
printf '{"data": {"root": "lists/list.csv", "images": "../pets"}}' > images.json
expect csv_images_file 0 "3 for training, 1 for validation" train images.json image_size=32 threads=1 max_steps=1 run=runs/images --dry-run
expect split_as_data 0 "pictures can be read" data check runs/w0/split.csv data.images=pets

# ---- what augmentation makes of them: a row for each picture, a column for evaluation and each epoch
expect augment 0 "sheet.png: 5 pictures" augment small.json pictures=5 draws=3 -o sheet.png
[ "$(head -c 4 sheet.png | tail -c 3)" = PNG ] || fail augment_png
expect augment_again 0 '"pictures": 5, "draws": 3, "width": 524, "height": 656' augment small.json pictures=5 draws=3 -o again.png --json
same augment_same sheet.png again.png
expect augment_seed 0 "" augment small.json pictures=5 draws=3 -o other.png seed=1
cmp -s sheet.png other.png && fail augment_seed
for key in augment.horizontal_flip=1 augment.vertical_flip=1 augment.pad_crop=4 augment.color_jitter=0 augment.random_resized_crop=0 augment.resize=pad \
    augment.interpolation=nearest augment.crop_pct=0.5; do
    expect "augment $key" 0 "" augment small.json pictures=5 draws=3 -o other.png $key
    cmp -s sheet.png other.png && fail "augment $key has no effect"
done
expect augment_run 0 "augment.png: 8 pictures" augment runs/w0
expect augment_read 0 "sheet.png: " predict runs/small sheet.png
expect augment_nothing 2 "is needed" augment
expect augment_draws 2 "draws=x: a whole number" augment small.json draws=x
expect augment_absent 3 "does not exist" augment small.json data=nowhere
expect augment_folder 3 "nowhere/sheet.png" augment small.json -o nowhere/sheet.png
: > pets/cat/0.jpg
expect augment_bad 3 "cat/0.jpg: the file is empty" augment small.json pictures=100 data.split.val=0
expect augment_skip 0 "skipped cat/0.jpg" augment small.json pictures=2 data.split.val=0 data.on_bad_file=skip
rm pets/cat/0.jpg

# ---- real photos
real=${FOVEA_SHARED_DATA:-$root/../shared/data}/hymenoptera_mini/hymenoptera_mini.tar
if [ -f "$real" ]; then
    tar xf "$real"
    expect real_check 0 "all 112 pictures can be read" data check hymenoptera_mini
    expect real_train 0 "76 for training, 36 for validation" train "$root/configs/folder.json" +small data=hymenoptera_mini epochs=2 run=runs/real
    expect real_eval 0 "evaluated 36/36" eval runs/real
else
    echo "real photos: SKIPPED, ../shared/data/hymenoptera_mini is not there"
fi
exit $failed
