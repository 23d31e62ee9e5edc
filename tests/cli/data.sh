#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a data set may look like, through the program: many bad pictures, folders that are sets under other names, folds, and class numbers
# that stay what they are. The program is $FOVEA; pictures are made here.
set -u
. "$(dirname "$0")/common/expect.sh"

# picture FILE R G B: a PPM of 20 x 16 pixels of about one colour.
picture() {
    { printf 'P6\n20 16\n255\n'; i=0; while [ $i -lt 320 ]; do printf "\\$(printf %03o $(($2 + i % 7)))\\$(printf %03o $(($3 + i % 5)))\\$(printf %03o $(($4 + i % 3)))"; i=$((i + 1)); done; } > "$1"
}

# weights RUN: the bytes of its last tensors, without the header, which names the configuration.
weights() {
    n=$(od -An -tu8 -N8 "$1/checkpoints/latest.safetensors")
    tail -c +$((n + 9)) "$1/checkpoints/latest.safetensors"
}

# classes OUTPUT: what `eval --json` says of the classes and what was taken for what.
classes() { sed 's/.*"metrics"/"metrics"/; s/, "mistakes".*//' "$1"; }

mkdir -p pets/1 pets/10 pets/2 pets/20
n=0
while [ $n -lt 10 ]; do
    picture pets/1/$n.ppm $((20 + n)) 40 200
    picture pets/10/$n.ppm 200 $((60 + n)) 20
    picture pets/2/$n.ppm 20 $((180 + n)) 20
    picture pets/20/$n.ppm 120 120 $((100 + n))
    n=$((n + 1))
done
cat > small.json << 'E2'
{"model": "resnet20", "data": {"root": "pets"}, "image_size": 32, "batch_size": 8, "threads": 1, "max_steps": 4, "validate_every": 4, "save_every": 4,
 "learning_rate": 0.01, "augment": {"random_resized_crop": {"p": 1, "scale": [0.5, 1]}, "horizontal_flip": 0.5}}
E2

# ---- many bad pictures: others take their places evenly, whoever finds them, and a run that goes on in the middle of an epoch does the same
cp -r pets phone
n=0
while [ $n -lt 9 ]; do
    : > phone/2/$n.ppm
    [ $n -gt 5 ] || printf '\000\000\000\034ftypheic\000\000\000\000' > phone/10/$n.ppm
    n=$((n + 1))
done
skip="data=phone data.on_bad_file=skip data.split.val=0.1 max_steps=12 save_every=1"
for workers in 0 2; do
    # shellcheck disable=SC2086
    expect "skip_$workers" 0 '"bad_files": 1' train small.json $skip data.workers=$workers run=runs/skip$workers --json
done
same skip_metrics runs/skip0/metrics.csv runs/skip2/metrics.csv
# shellcheck disable=SC2086
expect skip_part 0 '"step": 7' train small.json $skip max_steps=7 run=runs/part --json
expect skip_goes_on 0 '"step": 12' train runs/part --continue max_steps=12 --json
weights runs/skip0 > straight
weights runs/part > part
same skip_resumed straight part
: > phone/2/9.ppm
# shellcheck disable=SC2086
expect bad_class 3 'class "2": none of its ' train small.json $skip run=runs/none
[ ! -e runs/none ] || fail bad_class "nothing is left behind"
# shellcheck disable=SC2086
expect bad_class_fails 3 "the file is empty; data.on_bad_file=skip goes on without such pictures" train small.json $skip data.on_bad_file=fail run=runs/fails
cp phone/20/1.ppm phone/2/9.ppm
mkdir -p held/train held/val && cp -r pets/* held/train && cp -r pets/* held/val && : > held/val/1/3.ppm && : > held/val/20/4.ppm
expect bad_val 0 '"bad_files": 2' train small.json data=held data.on_bad_file=skip run=runs/held --json
also bad_val_named "skipped val/1/3.ppm: the file is empty" err
also bad_val_listed "val,val/20/4.ppm" runs/held/bad_files.csv
expect bad_val_eval 0 '"samples": 38, "of": 40' eval runs/held split=val --json

# ---- the numbers of classes: one order everywhere, and those of a model win by name
{ echo path,label; for c in 20 10 2 1; do for n in 0 1 2 3 4 5 6 7 8 9; do echo "pets/$c/$n.ppm,$c"; done; done; } > list.csv
expect folder 0 '"step": 4' train small.json run=runs/folder --json
expect list 0 '"step": 4' train small.json data=list.csv run=runs/list --json
also order_said "10 comes before 2" err
printf '1\n10\n2\n20\n' > want
same order_folder want runs/folder/classes.txt
same order_list want runs/list/classes.txt
printf '\357\273\277''20\r\n2\n\n10\n1' > order.txt
for given in order.txt 20,2,10,1; do
    expect "given_$given" 0 '"step": 4' train small.json data=list.csv classes=$given run="runs/given_$given" --json
    [ "$(tr '\n' ' ' < "runs/given_$given/classes.txt")" = "20 2 10 1 " ] || fail "given_$given"
done
printf '{"model": "resnet20", "data": "list.csv", "classes": ["20", "2", "10", "1"], "image_size": 32, "batch_size": 8, "threads": 1}' > given.json
expect given_json 0 '"classes": "20,2,10,1"' config given.json
expect given_check 0 "40 pictures can be read" data check list.csv classes=20,2,10,1
[ "$(sed -n '4,7s/ .*//p' out | tr '\n' ' ')" = "20 2 10 1 " ] || fail given_check
expect given_unknown 3 'pets: class "1" is none of the 3 known ones' data check pets classes=20,2,10
expect given_one 2 'classes: "orders.txt" is one name, and no file with more' data check pets classes=orders.txt
expect given_twice 2 'classes: "20" stands there twice' data check pets classes=20,2,20
# Evaluation of data that have another order: the same figures as with the run's own.
cp -r runs/given_order.txt runs/given && rm runs/given/split.csv && cp list.csv again.csv
expect eval_list 0 '"samples": 40' eval runs/given data=again.csv --json
classes out > by_list
expect eval_folder 0 '"samples": 40' eval runs/given data=pets --json
classes out > by_folder
same eval_by_name by_list by_folder
mkdir other && cp -r pets/1 pets/2 other/ && mv other/1 other/one
expect eval_unknown 3 'other: class "one" is none of the 4 known ones' eval runs/given data=other
# A run that goes on keeps its numbers though the configuration no longer says so, on its own split and on other data.
expect keeps 0 '"step": 5' train runs/given_order.txt --continue classes=null max_steps=5 --json
[ "$(tr '\n' ' ' < runs/given_order.txt/classes.txt)" = "20 2 10 1 " ] || fail keeps
expect keeps_with_other_data 0 '"step": 6' train runs/given_order.txt --continue data=pets data.format=folder max_steps=6 --json
[ "$(tr '\n' ' ' < runs/given_order.txt/classes.txt)" = "20 2 10 1 " ] || fail keeps_with_other_data
expect other_classes 3 'class "one" is none of the 4 known ones' train runs/given_order.txt --continue data=other max_steps=7

# ---- folders that are sets
mkdir -p kaggle/Training_Set kaggle/Test kaggle/notes && cp -r pets/1 pets/2 kaggle/Training_Set/ && cp -r pets/1 pets/2 kaggle/Test/ && cp -r pets/1 kaggle/notes/
expect sets 0 "16 for training, 4 for validation" train small.json data=kaggle run=runs/sets max_steps=1
also sets_unused "beside its sets, notes is not used" err
expect sets_eval 0 "evaluated 20/20" eval runs/sets
mkdir -p alone/val alone/test && cp -r pets/1 pets/2 alone/val/ && cp -r pets/1 pets/2 alone/test/
expect sets_alone 3 "none to train on: train is missing" train small.json data=alone run=runs/none
mv alone/val alone/a && mv alone/test alone/b
expect sets_alike 3 "a and b hold the same folders" train small.json data=alone run=runs/none
expect sets_named 0 '"step": 1' train small.json data=alone data.train=a data.val=b run=runs/named max_steps=1 --json
expect sets_classes 0 '"step": 1' train small.json data=alone classes=a,b run=runs/classes max_steps=1 --json

# ---- folds
{ echo path,label,fold; for c in 1 2; do for n in 0 1 2 3 4 5 6 7 8 9; do echo "pets/$c/$n.ppm,$c,$((n % 5))"; done; done; } > folds.csv
for fold in 0 4; do
    expect "fold_$fold" 0 "16 for training, 4 for validation" train small.json data=folds.csv data.split.folds=5 data.split.fold=$fold run=runs/fold$fold max_steps=1
    [ "$(grep -c ",val,$fold\$" runs/fold$fold/split.csv)" = 4 ] && [ "$(grep -c ",val," runs/fold$fold/split.csv)" = 4 ] || fail "fold_$fold"
    also "fold_${fold}_column" "pets/2/$fold.ppm,2,val,$fold" runs/fold$fold/split.csv
done
expect fold_next 0 "16 for training, 4 for validation" train small.json data=runs/fold0/split.csv data.images=. data.split.folds=5 data.split.fold=3 run=runs/fold3 max_steps=1
expect folds_and_val 2 "data.split.folds cannot be obeyed, since the set val decides what validates" train small.json data=held data.split.folds=5 run=runs/none
[ ! -e runs/none ] || fail "nothing is left behind"
exit $failed
