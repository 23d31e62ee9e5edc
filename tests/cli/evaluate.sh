#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Which pictures `fovea eval` measures: those that the run held out, where the folder is the run's by content, wherever it stands; all of any
# other. And what a run that goes on with other data compares with. The program is $FOVEA.
set -u
. "$(dirname "$0")/common/expect.sh"

# Pictures of the same names in folders of the same names, and other pixels.
"$FOVEA" synth planes -o a per_class=10 classes=3 size=32 --quiet || exit 1
"$FOVEA" synth planes -o b per_class=10 classes=3 size=32 seed=5 --quiet || exit 1
mv a/train pictures && mv b/train others && mv b/val more
count() { find "$1" -name '*.png' | wc -l; }
n=$(count pictures) rest=$(count others)
small="model=resnet20 image_size=32 batch_size=8 threads=1 data.workers=0 max_steps=2"
expect train 0 '"step": 2' train $small data=pictures run=r --json
val=$(grep -c ',val,' r/split.csv)

# ---- the run's own data
expect own 0 "evaluated $val/$val pictures, the set val of $work/pictures" eval r
expect own_json 0 "\"split\": \"val\", \"samples\": $val, \"of\": $val" eval r --json
expect own_given 0 "evaluated $val/$val pictures, the set val" eval r data=pictures
expect own_train 0 "\"split\": \"train\", \"samples\": $((n - val))," eval r split=train --json
expect own_no_test 3 'no pictures in its set "test"' eval r split=test
expect own_list 0 "evaluated $val/$val pictures, the set val" eval r data=r/split.csv data.images=pictures
expect own_file 0 "evaluated $val/$val pictures, the set val" eval r/checkpoints/latest.safetensors
cp r/split.csv kept.csv && rm r/split.csv
expect own_no_split 0 "evaluated $val/$val pictures, the set val" eval r
class=$(ls others | head -n 1)
cp -r pictures grown && for i in 1 2 3 4 5; do cp "others/$class/0000$i.png" "grown/$class/late$i.png"; done
mv pictures away && mv grown pictures
expect own_no_split_grown 3 "not divided as they were" eval r
expect own_no_split_by_hand 0 "pictures, all of $work/pictures" eval r data=pictures
cp kept.csv r/split.csv
expect own_grown 0 "evaluated $val/$val pictures, the set val" eval r
rm -r pictures && mv away pictures

# ---- other data are evaluated whole, though every name is one of the run's
expect other 0 "evaluated $rest/$rest pictures, all of $work/others" eval r data=others
expect other_json 0 "\"split\": \"all\", \"samples\": $rest, \"of\": $rest" eval r data=others --json
expect other_file 0 "evaluated $rest/$rest pictures, all of" eval r/checkpoints/best.safetensors data=others
expect other_smaller 0 "pictures, all of $work/more" eval r data=more
expect other_split 3 "it has no sets; without split= all of it" eval r data=others split=val
mkdir sets && cp -r pictures sets/train && cp -r others sets/val && cp -r more sets/test
expect other_sets 0 "\"split\": \"test\", \"samples\": $(count more)," eval r data=sets --json
expect other_sets_val 0 "\"split\": \"val\", \"samples\": $rest," eval r data=sets split=val --json
expect other_sets_train 0 "\"split\": \"train\", \"samples\": $n," eval r data=sets split=train --json
rm -r sets/test
expect other_sets_no_test 0 "\"split\": \"val\", \"samples\": $rest," eval r data=sets --json
cp -r pictures touched && cp "others/$class/00001.png" "touched/$class/"
expect other_touched 0 "evaluated $n/$n pictures, all of" eval r data=touched
# What the configuration says about its own data is not true of others: folds, shares, lists.
expect folds 0 '"step": 2' train $small data=pictures data.split.folds=3 data.split.fold=1 run=folds --json
expect folds_own 0 '"split": "val"' eval folds --json
expect folds_other 0 "evaluated $rest/$rest pictures, all of" eval folds data=others
expect folds_other_sets 0 "\"split\": \"val\", \"samples\": $rest," eval folds data=sets --json
mkdir lists && cut -d, -f1,2 kept.csv > lists/list.csv
expect list 0 '"step": 2' train $small data=lists/list.csv data.images=pictures data.split.val=0.3 data.split.test=0.3 run=list --json
expect list_own 0 '"split": "test"' eval list --json
expect list_images 0 "evaluated $rest/$rest pictures, all of" eval list data.images=others
expect list_moved 0 '"split": "test"' eval list data=pictures --json
expect list_other 0 "evaluated $rest/$rest pictures, all of" eval list data=others
cp lists/list.csv others.csv && sed -i "2,\$s,^,others/," others.csv
expect list_other_list 0 "evaluated $rest/$rest pictures, all of" eval list data=others.csv

# Another list of the run's own pictures: its labels count, not those of the split.
sed '2,$s/,.*/,airliner_four/' lists/list.csv > one.csv && tail -n 1 lists/list.csv >> one.csv
expect list_relabelled 0 "evaluated $((n + 1))/$((n + 1)) pictures, all of" eval list data=one.csv data.images=pictures
also list_relabelled_note "data=list/split.csv data.images=$work/pictures" err
expect list_continue 0 "begin anew" train list --continue data=others.csv data.images=null max_steps=3
expect list_continue_folder 3 "" train list --continue data=others max_steps=4

# ---- a split beside weights that are not the run's
mkdir -p stranger/checkpoints && head -n 3 kept.csv > stranger/split.csv
for place in stranger stranger/checkpoints; do
    cp r/checkpoints/best.safetensors $place/w.safetensors
    expect "stranger $place" 0 "evaluated $val/$val pictures, the set val" eval $place/w.safetensors
    expect "stranger $place, other" 0 "evaluated $rest/$rest pictures, all of" eval $place/w.safetensors data=others
done
cp -r r edited && sed -i '2s/train/val/; 2s/,val,/,train,/' edited/split.csv && sed -i '3,5s/,train,/,val,/' edited/split.csv
expect edited 0 "evaluated $val/$val pictures, the set val" eval edited      # divided anew, as it was

# ---- data that were moved
mv pictures moved
expect moved 3 "which does not exist; give data=DIR" eval r
expect moved_given 0 "evaluated $val/$val pictures, the set val of $work/moved" eval r data=moved
also moved_note "holds what the run was trained on" err
cp "others/$class/00001.png" "moved/$class/later.png"
expect moved_grown 0 "evaluated $val/$val pictures, the set val" eval r data=moved
expect moved_continue 0 "4/4" train r --continue data=moved max_steps=4
cmp -s kept.csv r/split.csv || fail moved_continue "the split is another one"
grep -q "begin anew" err && fail moved_continue "the best is searched anew"
expect moved_eval 0 "evaluated $val/$val pictures, the set val" eval r data=moved
mv moved pictures && rm "pictures/$class/later.png"

# ---- going on with other data: figures on the old ones count no more, and what is best is of the new ones
cp -r r same && cp -r r narrow
expect other_data 0 "figures are measured on other data" train r --continue data=others max_steps=6
expect other_data_eval 0 "of $work/others" eval r
also other_data_best "(step 6)" out
expect other_resize 0 "figures are measured on other data, or on pictures prepared otherwise" train narrow --continue data=pictures augment.resize=squash max_steps=6
also other_resize_line "begin anew" err
expect same_data 0 "6/6" train same --continue data=pictures max_steps=6 learning_rate=1e-9
grep -q "begin anew" err && fail same_data "the best is searched anew"
cp -r r killed                                     # a process that was killed before it saved: the weights are still of the data before
sed -i "s,$work/others,$work/pictures," killed/config.json && cp kept.csv killed/split.csv
expect stale 0 "pictures, the set val of $work/others" eval killed
exit $failed
