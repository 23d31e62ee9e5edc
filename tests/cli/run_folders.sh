#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Where a run may stand, and what becomes of what is there: other people's files, the run before, its own data, other runs' events and
# checkpoints, the list of bad files. The program is $FOVEA.
set -u
. "$(dirname "$0")/common/expect.sh"

"$FOVEA" synth planes -o planes per_class=8 classes=3 size=32 --quiet || exit 1
mv planes/train pictures
small="model=resnet20 image_size=32 batch_size=8 threads=1 data.workers=0"
train() { name=$1 code=$2 text=$3; shift 3; expect "$name" "$code" "$text" train $small "$@"; }

# ---- a folder that is not empty and no run: nothing in it is touched
mkdir mine mine/sub
for file in classes.txt split.csv metrics.csv report.html notes.tmp.12 metrics.csv.tmp.12 .hidden; do echo mine > mine/$file; done
find mine -type f -exec cksum {} + | sort > before
for mode in "" --overwrite; do
    train "other files $mode" 2 "mine is no run, and not empty: it holds" data=pictures max_steps=1 run=mine $mode
done
train other_files_dry 2 "mine is no run" data=pictures max_steps=1 run=mine --dry-run
train other_files_continue 2 "mine is no run" data=pictures max_steps=1 run=mine --continue
train other_files_seeds 2 "mine is no run" data=pictures max_steps=1 run=mine seeds=2
echo '{"model_type": "vit"}' > mine/config.json                 # other programs have one too
find mine -type f -exec cksum {} + | sort > before
train other_config 2 "mine is no run" data=pictures max_steps=1 run=mine
expect other_config_named 2 "" train mine
find mine -type f -exec cksum {} + | sort | cmp - before || fail other_files "something has changed"
train other_files_new 0 "1/1" data=pictures max_steps=1 run=mine --new
[ -s mine-2/checkpoints/best.safetensors ] || fail other_files_new "no mine-2"
mkdir -p empty
train empty_folder 0 "1/1" data=pictures max_steps=1 run=empty
# A process that died before its run had a config.json: that is no obstacle.
cp -r empty begun && rm -r begun/config.json begun/command.txt begun/checkpoints/* begun/summary.json begun/console.log
echo half > begun/config.json.tmp.4711
train begun 0 "1/1" data=pictures max_steps=1 run=begun
[ ! -e begun/config.json.tmp.4711 ] || fail begun "a file of a killed writer is left"
cp -r empty begun_not && rm begun_not/config.json && echo mine > begun_not/notes.txt
train begun_and_mine 2 "it holds notes.txt" data=pictures max_steps=1 run=begun_not

# ---- files of others in a run and beside its checkpoints stay, whatever they are called
echo mine > empty/notes.tmp.12
train others_in_a_run 0 "is finished" data=pictures max_steps=1 run=empty
mkdir weights && echo mine > weights/other.safetensors.tmp.12
train others_checkpoints 0 "1/1" data=pictures max_steps=1 run=placed checkpoint_dir=weights
train others_checkpoints_2 0 "2/2" data=pictures max_steps=2 run=placed checkpoint_dir=weights --continue
[ -e empty/notes.tmp.12 ] && [ -e weights/other.safetensors.tmp.12 ] || fail others "a file is gone"
mkdir moved_weights && mv weights/latest* weights/best* weights/previous* moved_weights/
train places_are_kept 0 "is finished" data=pictures max_steps=2 run=placed checkpoint_dir=moved_weights
train places_go_on 0 "3/3" data=pictures max_steps=3 run=placed checkpoint_dir=moved_weights --continue
expect places_eval 0 "moved_weights/best.safetensors" eval placed

# ---- --overwrite: the old run is moved when the new one begins, not when its data turn out to be wrong
cksum empty/checkpoints/best.safetensors > before
train overwrite_no_data 3 "does not exist" data=nowhere max_steps=1 run=empty --overwrite
train overwrite_model 2 "unknown model" data=pictures model=resnet99 max_steps=1 run=empty --overwrite
train overwrite_batch 2 "warm-up" data=pictures max_steps=1 warmup_iters=5 run=empty --overwrite
[ ! -e empty.old-1 ] && cksum empty/checkpoints/best.safetensors | cmp - before || fail overwrite "the old run is not where it was"
train overwrite 0 "empty.old-1" data=pictures max_steps=1 run=empty --overwrite
cksum empty.old-1/checkpoints/best.safetensors | cut -d' ' -f1 > moved && cut -d' ' -f1 before | cmp - moved || fail overwrite "the old weights are not whole"
train seeds 0 "of 2 seeds" data=pictures max_steps=1 run=group seeds=2
train seeds_overwrite_no_data 3 "does not exist" data=nowhere max_steps=1 run=group seeds=2 --overwrite
[ -s group/seed-1/checkpoints/best.safetensors ] && [ ! -e group.old-1 ] || fail seeds_overwrite_no_data "the old group is not where it was"
train seeds_overwrite 0 "of 2 seeds" data=pictures max_steps=1 run=group seeds=2 --overwrite
[ -s group/seed-1/checkpoints/best.safetensors ] && [ -s group.old-1/seed-1/checkpoints/best.safetensors ] || fail seeds_overwrite
train seeds_no_data 3 "does not exist" data=nowhere max_steps=1 run=group_2 seeds=2
[ ! -e group_2 ] || fail seeds_no_data "there is a folder"
train new_no_data 3 "does not exist" data=nowhere max_steps=1 run=empty --new
[ ! -e empty-2 ] || fail new_no_data "there is a folder"

# ---- several starts with --new at once: each gets a name of its own
for i in 1 2 3 4; do "$FOVEA" train $small data=pictures max_steps=2 run=empty --new > new.$i 2>&1 & done
wait
for i in 2 3 4 5; do [ -s empty-$i/checkpoints/best.safetensors ] || { fail "new at once" "no empty-$i"; cat new.*; }; done
# The same start twice at once: one run, the other is refused or goes on; never two that write into one folder.
for i in 1 2; do "$FOVEA" train $small data=pictures max_steps=6 run=twice > twice.$i 2>&1 & done
wait
[ "$(cut -d, -f1 twice/metrics.csv | tr '\n' ' ')" = "step 1 2 3 4 5 6 " ] || { fail twice; cat twice.1 twice.2 twice/metrics.csv; }

# ---- a run below its own data: its folder would be a class the next time
cp -r pictures own
train below_data 2 "set run= to a folder outside" data=own max_steps=1 run=own/runs/a
train below_data_checkpoints 2 "set checkpoint_dir= to a folder outside" data=own max_steps=1 run=beside checkpoint_dir=own/weights
train below_data_dry 2 "set run= to a folder outside" data=own max_steps=1 run=own/runs/a --dry-run
[ "$(ls own)" = "$(ls pictures)" ] || fail below_data "something is in the data"
mkdir sets && cp -r pictures sets/train && cp -r pictures sets/val
train beside_sets 0 "1/1" data=sets max_steps=1 run=sets/runs/a
train below_a_set 2 "set run= to a folder outside" data=sets max_steps=1 run=sets/train/run
mkdir own/run_of_before                                      # what an earlier version let happen: no advice to remove it
train is_a_class 3 'class "run_of_before" has no picture' data=own max_steps=1 run=beside
grep -q "remove" err && fail is_a_class "it advises to remove the folder"

# ---- event files of two runs in one folder would be shown as one
train events 0 "1/1" data=pictures max_steps=1 run=events_a tensorboard_dir=boards
ls boards/events.out.tfevents.* > boards.before
train events_other 2 "boards holds the events of another run" data=pictures max_steps=1 run=events_b tensorboard_dir=boards
train events_new 2 "boards holds the events of another run" data=pictures max_steps=1 run=events_a tensorboard_dir=boards --new
train events_moved_to 2 "boards holds the events of another run" data=pictures max_steps=2 run=twice tensorboard_dir=boards --continue
[ ! -e events_b ] && ls boards/events.out.tfevents.* | cmp - boards.before || fail events "something was written"
train events_go_on 0 "2/2" data=pictures max_steps=2 run=events_a tensorboard_dir=boards --continue
mv boards boards_moved
train events_moved 0 "3/3" data=pictures max_steps=3 run=events_a tensorboard_dir=boards_moved --continue
train events_again 0 "4/4" data=pictures max_steps=4 run=events_a tensorboard_dir=boards_moved --continue
[ "$(ls boards_moved | wc -l)" = 4 ] || fail events_moved "$(ls boards_moved)"

# ---- bad_files.csv: what was skipped since the run began, each once
cp -r pictures spoiled
class=$(ls spoiled | head -n 1)
: > "spoiled/$class/00001.png" && : > "spoiled/$class/00002.png" && : > "spoiled/$class/00003.png"
train bad 0 "" data=spoiled data.on_bad_file=skip epochs=1 data.split.val=0.2 run=bad --json
sort bad/bad_files.csv > bad.before
[ "$(wc -l < bad.before)" = 4 ] || fail bad "$(cat bad.before)"
cp "pictures/$class/00001.png" "spoiled/$class/"
expect bad_resumed 0 '"bad_files": 3' train bad --continue epochs=3 --json
sort bad/bad_files.csv | cmp - bad.before || { fail bad_kept; cat bad/bad_files.csv; }
echo 'split,"reason' > bad/bad_files.csv
expect bad_torn 0 "the list is begun anew" train bad --continue epochs=4
exit $failed
