#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The program around training: exit codes, texts, JSON, runs that exist. The program is $FOVEA.
set -u
. "$(dirname "$0")/common/expect.sh"
. "$root/tests/cli/common/records.sh"

mkdir data
batch data/data_batch_1.bin 9
batch data/data_batch_2.bin 3
batch data/test_batch.bin 5
cat > tiny.json << 'E'
{"model": "resnet18", "data": {"root": "data", "workers": 1}, "batch_size": 4, "max_steps": 3, "threads": 1, // a comment
 "validate_every": 2, "save_every": 1, "variants": {"slow": {"learning_rate": 1e-5}, "long": {"max_steps": 1000}}}
E

# ---- the program itself
expect version 0 "fovea 0." --version
expect no_command 2 "usage: fovea COMMAND"
expect unknown_command 2 'unknown command "trian"' trian
expect help 0 "train" --help
expect help_train 0 "gradient_accumulation_steps" help train
expect help_flag 0 "--continue" train --help
expect help_models 0 "model_args.stem" help summary
expect help_unknown 2 'no key "x"' help x
for command in train eval summary bench info config report help; do expect "help_$command" 0 "fovea $command" $command --help; done
expect info 0 "oneDNN" info
expect info_json 0 '"isa"' info --json
expect info_word 2 "takes no arguments" info x

# ---- configuration
expect config 0 '"batch_size": 4' config tiny.json
expect config_origins 0 '"learning_rate": "tiny.json:2 (variant slow)"' config tiny.json +slow --origins
for file in "$root"/configs/*.json; do expect "config ${file##*/}" 0 '"model":' config "$file"; done
expect config_alias 0 '"batch_size": 7' config tiny.json batch=7
also config_alias_says "note: batch is read as batch_size" err
expect config_ignored 0 '"batch_size": 4' config tiny.json enable_compile=true
also config_ignored_says "enable_compile means nothing here and is ignored" err
printf '{"enable_cudnn_benchmark": true, "learning_rate": 1, "max_learning_rate": 1e-3}' > known.json
expect config_known 0 '"max_learning_rate": 0.001' config known.json
also config_known_says "known.json:1: enable_cudnn_benchmark means nothing here and is ignored" err
also config_known_peak "max_learning_rate 0.001 is the peak; learning_rate 1 is not used" err
expect config_later 2 "nc: this version of fovea does not have it yet" config tiny.json nc=3
expect config_long 0 '"batch_size": 7' config tiny.json --batch-size 7
expect config_long_equals 0 '"batch_size": 7' config tiny.json --batch_size=7
expect config_unknown 2 'batchsize: unknown key; did you mean "batch_size"?' config tiny.json batchsize=7
expect config_file_absent 2 "configuration none.json does not exist" config none.json
printf '{\n"batch_size": 0}' > zero.json
expect config_place 2 "zero.json:2: batch_size: 0 is out of range" train zero.json data=data
printf '{"model": "resnet18"' > torn.json
expect config_torn 2 "torn.json:1" train torn.json
expect variant_unknown 2 'no variant "slwo"; did you mean "+slow"?' config tiny.json +slwo
expect flag_unknown 2 "--newer is no flag" train tiny.json --newer
expect short_unknown 2 "unknown flag -x" train tiny.json -x
expect modes 2 "exclude each other" train tiny.json --new --overwrite
expect two_words 2 "one configuration or run at a time" train tiny.json other.json
expect nothing 2 "is needed" train

# ---- data
expect no_data 2 "no data: give data=DIR" train model=resnet18
expect data_absent 3 "does not exist; give data=DIR" train tiny.json data=nowhere
mkdir empty
expect data_empty 3 "no data_batch_*.bin" train tiny.json data=empty
mkdir bad && cp data/* bad/ && head -c 5000 data/data_batch_1.bin > bad/data_batch_1.bin
expect data_torn 3 "data_batch_1.bin: 5000 bytes is not a whole number of CIFAR-10 records" train tiny.json data=bad
cp data/data_batch_1.bin bad/ && printf '\377' | dd of=bad/data_batch_1.bin bs=1 conv=notrunc 2> /dev/null
expect data_label 3 "record 0 has label 255" train tiny.json data=bad
expect wrong_size 2 "set image_size=32" train tiny.json image_size=64 run=runs/size
expect cuda 2 "set device=cpu" train tiny.json device=cuda
expect model 2 'did you mean "resnet18"' train tiny.json model=resnet81

# ---- a run
expect dry_run 0 "nothing was written" train tiny.json --dry-run
[ ! -e runs/tiny ] || fail dry_run "there is a run folder"
expect strong 0 "3/3  validation" train "$root/configs/cifar10_resnet18_strong.json" data=data batch_size=4 epochs=1 threads=1 run=runs/strong
expect strong_cosine 0 '"scheduler": "warmup_cosine"' config "$root/configs/cifar10_resnet18_strong.json" +cosine
expect train 0 '"step": 3' train tiny.json --json
also train_progress "3/3" err
also train_start "11,181,642 parameters" err
also train_log "3/3" runs/tiny/console.log
[ "$(wc -l < out)" = 1 ] || fail train "more than one line on standard output"
for file in config.json origins.json classes.txt environment.json command.txt metrics.csv checkpoints/best.safetensors checkpoints/latest.safetensors \
    checkpoints/latest.state.safetensors checkpoints/previous.safetensors evaluation.json summary.json report.html; do
    [ -s "runs/tiny/$file" ] || fail train "no $file"
done
also train_rows "3," runs/tiny/metrics.csv
expect finished 0 "is finished at step 3; extend with" train tiny.json
cp -r runs/tiny runs/unsummed && rm runs/unsummed/summary.json runs/unsummed/report.html       # killed before it could write them
expect late 0 "is finished" train runs/unsummed
also late_summary '"step": 3' runs/unsummed/summary.json
also late_unknown '"seconds": null' runs/unsummed/summary.json
also late_report "</html>" runs/unsummed/report.html
sed -i 's/"step": 3/"step": 2/' runs/unsummed/summary.json         # of an earlier segment
expect late_again 0 "is finished" train runs/unsummed
also late_step '"step": 3' runs/unsummed/summary.json
also summary_parameters '"parameters": 11181642' runs/tiny/summary.json
echo half > runs/tiny/evaluation.json.tmp.12345
echo mine > runs/tiny/notes.tmp.txt
expect finished_run 0 "is finished" train runs/tiny
[ ! -e runs/tiny/evaluation.json.tmp.12345 ] || fail leftover "of a killed writer is still there"
[ -e runs/tiny/notes.tmp.txt ] || fail leftover "a file of the user's is gone"
expect by_epochs 0 "3/3" train tiny.json run=runs/by_epochs max_steps=null epochs=1
also by_epochs_weights "weights in $work/runs/by_epochs/checkpoints/best.safetensors" err
expect finished_epochs 0 "runs/by_epochs --continue epochs=2" train runs/by_epochs
grep -qF "max_steps" err && fail finished_epochs "it speaks of max_steps"
expect extended_epochs 0 "6/6" train runs/by_epochs --continue epochs=2
expect epochs_first 0 "3/3" train tiny.json run=runs/epochs_first epochs=1 max_steps=100
expect finished_both 0 "--continue epochs=2 max_steps=6" train runs/epochs_first
expect run_root 0 "1/1" train tiny.json run_root=other_root max_steps=1 paint_images=0
[ -s other_root/tiny/checkpoints/best.safetensors ] || fail run_root "no other_root/tiny"
expect weights_all_zero 2 "loss.class_weights: all are 0" train tiny.json run=runs/nan loss.class_weights=0,0,0,0,0,0,0,0,0,0
expect weight_zero 0 '"step": 6' train tiny.json run=runs/weightless loss.class_weights=0,0,0,0,0,0,1,1,1,1 batch_size=2 max_steps=6 --json
also weight_zero_says "all pictures of the batch are of classes that loss.class_weights gives 0" err
expect weightless 1 "for a whole epoch no picture had a weight" train tiny.json run=runs/weightless_all loss.class_weights=0,0,0,0,0,0,0,0,1,1 batch_size=2 max_steps=20
expect different 2 "seed (0, now 9)" train tiny.json seed=9
expect continue 0 "4/4" train runs/tiny --continue max_steps=4
also continued_says "step 3 of 4 goes on with max_steps (3, now 4)" err
also continued_noted "changed: max_steps (3, now 4)" runs/tiny/command.txt
also continued_segment '{"step":3,"command":"max_steps=4","changes":{"max_steps":{"from":3,"to":4}}}' runs/tiny/segments.json
cp -r runs/tiny runs/other
expect continue_optimizer 0 "tensors of the optimizer start anew" train runs/other --continue optimizer=sgd learning_rate=1e-4 max_steps=5
also continue_rate "the rate was 0.001 and is now 0.0001" err
expect new_run 0 "tiny-2" train tiny.json --new
expect overwritten 0 "runs/tiny-2.old-1" train runs/tiny-2 --overwrite
[ -s runs/tiny-2.old-1/checkpoints/best.safetensors ] && [ -s runs/tiny-2/checkpoints/best.safetensors ] || fail overwritten
"$FOVEA" train tiny.json +slow --quiet > output 2>&1 || fail quiet
[ ! -s output ] || { fail quiet "it says:"; cat output; }
[ -d runs/tiny.slow ] || fail variant "no runs/tiny.slow"
grep -q '^step,epoch,lr,loss,grad_norm,val_loss,val_acc,val_top5,val_f1,' runs/tiny/metrics.csv || fail columns
# Columns of an earlier version: found by name when the run goes on.
cp -r runs/tiny runs/older
cut -d, -f1-6,8 runs/tiny/metrics.csv | sed 's/,val_top5/,old_name/' > runs/older/metrics.csv
expect older_columns 0 "5/5" train runs/older --continue max_steps=5
also older_header "step,epoch,lr,loss,grad_norm,val_loss,val_acc,val_top5,val_f1," runs/older/metrics.csv
[ "$(tail -n +2 runs/older/metrics.csv | awk -F, 'NF != 14 || $1 < 5 && $7 != ""' | wc -l)" = 0 ] || { fail older_rows; cat runs/older/metrics.csv; }
# The true class is always among five of three: such a figure is nowhere.
"$FOVEA" synth planes -o planes per_class=8 classes=3 size=32 --quiet
small="model=resnet20 data=planes image_size=32 max_steps=2 threads=1"
# shellcheck disable=SC2086
expect few_classes 0 "validation" train $small run=runs/few --json
grep -q top5 output && fail few_classes "it speaks of top5"
tail -n 1 runs/few/metrics.csv | grep -q '^2,[^,]*,[^,]*,[^,]*,[^,]*,[^,]*,[^,]*,,[0-9]' || fail few_classes "metrics.csv"
grep -lE 'top(5|10)|"top3' runs/few/evaluation.json runs/few/summary.json && fail few_classes "top5 is recorded"
also few_classes_top2 '"top2": ' runs/few/evaluation.json
expect few_classes_eval 0 "acc " eval runs/few
grep -q top5 output && fail few_classes_eval "it speaks of top5"
expect few_classes_json 0 '"top2": ' eval runs/few --json
grep -qE 'top(3|5|10)' output && fail few_classes_json "it speaks of top5"
expect many_classes_eval 0 "  top5 " eval runs/tiny
expect few_classes_monitor 2 "monitor: top5 says nothing with these data (3 classes); take acc" train model=resnet20 data=planes image_size=32 max_steps=2 monitor=acc5 run=runs/few-2
[ ! -e runs/few-2 ] || fail few_classes_monitor "there is a run folder"
expect monitor 0 "done: best" train tiny.json monitor=f1_weighted max_steps=1 run=runs/monitor
also monitor_name '"monitor": "f1_weighted"' runs/monitor/config.json
expect monitor_alias 0 '"monitor": "top5"' config tiny.json monitor=acc5
expect monitor_unknown 2 "monitor" config tiny.json monitor=acurracy
expect schedule_alias 0 '"scheduler": "warm_restarts"' config tiny.json scheduler=sgdr T_0=3 T_mult=2
expect schedule_restart 2 "warm_restarts needs restart_iters or restart_epochs" config tiny.json scheduler=warm_restarts
expect schedule_plateau 0 '"patience": 3, "factor": 0.5' config tiny.json scheduler=plateau plateau=3 plateau.factor=0.5
expect schedule_unknown 2 'did you mean "plateau"?' config tiny.json scheduler=platau
expect plateau_run 0 "the rate goes from 0.001 to 0.0001" train tiny.json run=runs/plateau scheduler=plateau plateau=0 plateau.threshold=0.9 validate_every=1
expect continue_nothing 2 "there is no run" train tiny.json run=runs/none --continue
mkdir -p runs/file && rmdir runs/file && echo x > runs/file
expect in_the_way 2 "is in the way" train tiny.json run=runs/file

# ---- a value that is not finite: the run stops, and says where it came from
for amp in false true; do
    export FOVEA_INJECT_NAN=layer2.0.conv1
    expect nan_$amp 1 "step 1: the loss is not finite; first at layer2.0.conv1 (" train tiny.json enable_amp=$amp run=runs/nan_$amp
    also nan_${amp}_pictures "forward; pictures: data_batch_" err
    also nan_${amp}_kept "Nothing was updated or saved" err
    FOVEA_INJECT_NAN=layer2.0.bn2:backward
    expect nan_backward_$amp 1 "step 1: the gradient is not finite; first at layer2.0.bn2 (" train tiny.json enable_amp=$amp run=runs/nan_$amp
    also nan_backward_${amp}_pictures "backward; pictures: data_batch_" err
    unset FOVEA_INJECT_NAN
done

# ---- several seeds
expect seeds 0 "of 2 seeds, 0 to 1" train tiny.json seeds=2 run=runs/seeds max_steps=2
also seeds_table "best_val_acc" runs/seeds/seeds.txt
also seeds_file '"finished": 2' runs/seeds/seeds.json
for file in report.html config.json seed-0/config.json seed-1/checkpoints/best.safetensors seed-1/console.log; do
    [ -s "runs/seeds/$file" ] || fail seeds "no $file"
done
expect seeds_again 0 '"seeds": [0, 1], "finished": 2' train runs/seeds --json
also seeds_again_says "seed-1 is finished at step 2" err
[ "$(wc -l < out)" = 1 ] || fail seeds_again "more than one line on standard output"
expect seeds_one 0 "is finished at step 2" train runs/seeds/seed-0
expect seeds_eval 3 "name one of them" eval runs/seeds
expect seeds_eval_one 0 "evaluated 5/5" eval runs/seeds/seed-0
expect seeds_report 0 "seeds.html" report runs/seeds -o seeds.html
also seeds_report_all "seed-1" seeds.html
cp -r runs/seeds runs/seeds-torn && echo '{"runs": [' > runs/seeds-torn/seeds.json
expect seeds_report_torn 3 "seeds.json:" report runs/seeds-torn
expect seeds_many 2 "seeds: 5000 is out of range" train tiny.json seeds=5000
expect seeds_dry 0 "nothing was written" train tiny.json seeds=3 run=runs/seeds-dry --dry-run
[ ! -e runs/seeds-dry ] || fail seeds_dry "there is a run folder"

# ---- evaluation
expect eval 0 '"samples": 5, "of": 5' eval runs/tiny --json
also eval_metrics '"f1_weighted": ' out
also eval_mistakes '"mistakes": [{"name": "' out
expect eval_val 0 "evaluated 5/5" val runs/tiny split=val
expect eval_train 0 "evaluated 12/12" eval runs/tiny split=train
expect eval_latest 0 "latest.safetensors (step 4)" eval runs/tiny@latest
expect eval_file 0 "evaluated 5/5" eval runs/tiny/checkpoints/best.safetensors data=data
expect eval_split 2 "test, val or train" eval runs/tiny split=all
expect eval_nothing 2 "is needed" eval
expect eval_absent 3 "there are no weights" eval runs/absent
expect eval_data 3 "does not exist" eval runs/tiny data=nowhere
echo junk > junk.safetensors
expect eval_junk 3 "not a valid safetensors file" eval junk.safetensors
expect eval_other_model 3 "conv1.weight is (64, 3, 7, 7), the model wants (64, 3, 3, 3)" eval runs/tiny/checkpoints/best.safetensors data=data model_args.stem=cifar
mkdir moved && cp -r runs/tiny moved/elsewhere
expect eval_moved 0 "evaluated 5/5" eval moved/elsewhere

# ---- reports
also report_written "<title>tiny – fovea</title>" runs/tiny/report.html
ls runs/tiny/events.out.tfevents.* > /dev/null || fail events "no event file"
rm runs/tiny/report.html
expect report 0 "runs/tiny/report.html" report runs/tiny
also report_again "Worst mistakes" runs/tiny/report.html
expect report_two 0 '"runs": 2' report runs/tiny runs/monitor/ -o two.html --json
also report_overlaid "Where the configurations differ" two.html
expect report_here 0 "report.html" report runs/tiny runs/monitor
[ -s report.html ] || fail report_here
expect report_nothing 2 "a run is needed" report
expect report_setting 2 "is no setting of this command" report runs/tiny batch=3
expect report_absent 3 "is not a run: it holds no config.json" report runs/absent
expect report_folder 3 "nowhere/x.html" report runs/tiny -o nowhere/x.html
expect paint_none 0 '"mistakes": []' eval runs/tiny paint_images=0 --json
expect tensorboard_dir 0 "done: best" train tiny.json run=runs/boards tensorboard_dir=boards max_steps=1 paint_images=0
ls boards/events.out.tfevents.* > /dev/null || fail tensorboard_dir
ls runs/boards/events.* > /dev/null 2>&1 && fail tensorboard_dir "events in the run too"

# ---- checkpoints elsewhere: found by the run's name, never written over by another run
expect elsewhere 0 "weights in $work/ckpt/best.safetensors" train tiny.json run=runs/elsewhere checkpoint_dir=ckpt max_steps=2
[ ! -e runs/elsewhere/checkpoints ] || fail elsewhere "there are checkpoints in the run too"
expect elsewhere_eval 0 "$work/ckpt/best.safetensors (step" eval runs/elsewhere
expect elsewhere_latest 0 "latest.safetensors (step 2)" eval runs/elsewhere@latest
expect elsewhere_resumes 0 "3/3" train runs/elsewhere --continue max_steps=3
cksum ckpt/* > ckpt.before
expect elsewhere_new 2 "holds the checkpoints of another run" train tiny.json run=runs/elsewhere checkpoint_dir=ckpt max_steps=3 --new
expect elsewhere_overwrite 2 "holds the checkpoints of another run" train tiny.json run=runs/elsewhere checkpoint_dir=ckpt max_steps=3 --overwrite
[ -s runs/elsewhere/config.json ] && [ ! -e runs/elsewhere-2 ] || fail elsewhere_new "something was moved"
expect elsewhere_left 2 "move them to" train runs/elsewhere checkpoint_dir=moved_ckpt --continue max_steps=4
cksum ckpt/* | cmp - ckpt.before || fail elsewhere "the checkpoints have changed"
mv ckpt moved_ckpt
expect elsewhere_moved 0 "4/4" train runs/elsewhere checkpoint_dir=moved_ckpt --continue max_steps=4
expect elsewhere_moved_eval 0 "$work/moved_ckpt/best.safetensors (step" eval runs/elsewhere

# ---- checkpoints that are damaged
cp -r runs/tiny runs/torn
for f in latest previous; do truncate -s 5000 runs/torn/checkpoints/$f.safetensors; done
expect torn 3 "cut short" train runs/torn --continue max_steps=9
cp -r runs/tiny runs/half
truncate -s 5000 runs/half/checkpoints/latest.state.safetensors
expect fallback 0 "going on from the previous checkpoint, step 3" train runs/half --continue max_steps=5
if [ "$(id -u)" != 0 ]; then
    mkdir locked && chmod 555 locked
    expect read_only 3 "locked" train tiny.json run=locked/run
fi

# ---- the line of a terminal, taken back and written again; as wide as the terminal
if script -qec true screen > /dev/null 2>&1; then
    script -qec "stty cols 40; $FOVEA train tiny.json run=runs/terminal max_steps=12 save_every=100" screen > /dev/null 2>&1 || { fail terminal; cat screen; }
    for part in "loss" "lr" "img/s"; do also "terminal $part" "$part" screen; done
    grep -q "$(printf '\r')" screen || fail terminal "no line is taken back"
    tr '\r' '\n' < screen | grep -q 'data-wait' && fail terminal "wider than the terminal"
else
    echo "terminal: skipped, script makes none here"
fi
also plain_data_wait "data-wait" runs/tiny/console.log
also plain_eta "eta 0:0" runs/tiny/console.log

# ---- summary, bench
expect summary 0 '"parameters": 11689512' summary resnet18 input=3x32x32 --json
expect summary_train 0 "training with AdamW" summary resnet18 input=3x32x32 batch_size=2 --train
expect summary_run 0 "11,181,642 parameters" summary runs/tiny input=3x32x32
expect summary_latest 0 "11,181,642 parameters" summary runs/tiny@latest input=3x32x32
expect summary_file 0 "11,181,642 parameters" summary runs/tiny/checkpoints/best.safetensors input=3x32x32
also summary_file_says "is taken as stored weights" err
expect summary_no_file 3 "there are no weights" summary absent.safetensors
expect summary_cifar 0 "11,173,962" summary resnet18 input=3x32x32 classes=10 model_args.stem=cifar
expect summary_input 2 "CxHxW is wanted" summary resnet18 input=32
expect summary_unknown 2 'did you mean "resnet18"' summary resnet19
expect summary_setting 2 "is no setting of this command" summary resnet18 inptu=3x32x32
expect bench 0 '"median_ms"' bench resnet18 infer batch_size=1 input=3x32x32 steps=2 warmup=0 threads=1 --json
expect bench_ops 0 "conv2d" bench resnet18 train batch_size=2 input=3x32x32 steps=2 warmup=0 threads=1 --ops
expect bench_file 0 "images/s" bench runs/tiny/checkpoints/best.safetensors infer batch_size=1 input=3x32x32 steps=2 warmup=0 threads=1
expect bench_mode 2 "train or infer are needed" bench resnet18 both
if [ -z "${ASAN_OPTIONS:-}${TSAN_OPTIONS:-}" ]; then             # they take address space without end
    limited() { (ulimit -v 700000 && exec "$@"); }
    run=limited
    expect out_of_memory 4 "out of memory" bench resnet18 train batch_size=512 input=3x64x64 steps=1 warmup=0 threads=1
    expect out_of_memory_batch 4 "out of memory" bench resnet18 infer batch_size=20000 input=3x224x224 steps=1 warmup=0 threads=1
    run=
fi
expect bench_dtype 2 "f32 or bf16" bench resnet18 infer dtype=f8
exit $failed
