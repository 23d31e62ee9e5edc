#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The process around a command: standard descriptors that are closed, signals, readers that go away, limits, a current
# folder that is gone. The program is $FOVEA.
# shellcheck disable=SC2086
set -u
. "$(dirname "$0")/common/expect.sh"
. "$root/tests/cli/common/records.sh"

mkdir data
batch data/data_batch_1.bin 12
batch data/test_batch.bin 4
cat > tiny.json << 'E'
{"model": "resnet20", "data": {"root": "data", "workers": 1}, "batch_size": 4, "max_steps": 6, "threads": 1,
 "validate_every": 2, "paint_images": 0}
E
long="max_steps=100000 validate_every=100000 save_every=100000"

# begin ARGUMENTS...: the program in the background as from a terminal; a shell has it ignore SIGINT otherwise. $child
begin() { env --default-signal=INT,HUP "$FOVEA" "$@" > out 2> err & child=$!; }
# until_ CONDITION...: waits for it, a minute at most.
until_() { i=0; until "$@" > /dev/null 2>&1 || [ $i -ge 600 ]; do sleep 0.1; i=$((i + 1)); done; }
# ended NAME CODE: how $child went.
ended() {
    got=0
    wait $child || got=$?
    if [ $got = "$2" ]; then echo "$1: ok"; else fail "$1" "exit code $got, not $2"; cat err; fi
}
steps() { [ "$(wc -l < "$1/metrics.csv")" -gt 3 ]; }
saved() { [ -s "$1/checkpoints/latest.state.safetensors" ]; }

# ---- descriptors that are closed: no file of the run gets their numbers
"$FOVEA" train tiny.json run=closed --json >&- 2>&- || fail closed "exit code $?"
"$FOVEA" train tiny.json run=closed_all <&- >&- 2>&- || fail closed_all "exit code $?"
for r in closed closed_all; do
    head -n 1 $r/metrics.csv | grep -q '^step,epoch,lr,' || fail $r "another head of metrics.csv"
    [ "$(wc -l < $r/metrics.csv)" = 7 ] || { fail $r "other rows in metrics.csv"; head -n 3 $r/metrics.csv; }
    grep -lar 'img/s' $r | grep -v console.log && fail $r "progress in files of the run"
    also ${r}_log "img/s" $r/console.log
done
{ printf 'P6\n32 32\n255\n'; head -c 3072 /dev/urandom; } > a.ppm
"$FOVEA" predict closed a.ppm a.ppm -o table.csv >&- 2>&- || fail closed_table "exit code $?"
[ "$(grep -c '^a.ppm,' table.csv)" = 2 ] && [ "$(wc -l < table.csv)" = 3 ] || { fail closed_table; cat table.csv; }
"$FOVEA" info <&- > out 2>&- || fail closed_input
also closed_input "oneDNN" out

# ---- signals: all save, and the run goes on
for signal in INT TERM HUP; do
    begin train tiny.json $long run=by_$signal
    until_ steps by_$signal
    kill -$signal $child
    ended "signal $signal" 130
    saved by_$signal || fail "signal $signal" "nothing is saved"
    also "signal $signal text" "Go on with: fovea train" err
done
expect resumed 2 "max_steps (100000, now 6)" train tiny.json run=by_HUP
begin train tiny.json $long run=by_HUP
until_ grep -q img/s err
kill -TERM $child
ended "signal again" 130
also "signal again text" "going on from step" err
# A command line in a message is one: quoted where the shell would read it otherwise.
begin train tiny.json $long run="it's a run"
until_ steps "it's a run"
kill -TERM $child
ended "quoted" 130
also "quoted text" "Go on with: fovea train '$work/it'\\''s a run'" err
line=$(sed -n 's/.*Go on with: fovea //p' err)
eval "begin $line --continue max_steps=7 validate_every='0.5 epoch'"
ended "quoted line" 0
also "quoted settings" "max_steps=7 'validate_every=0.5 epoch'" "it's a run/command.txt"
eval "begin $line"
ended "quoted line again" 0
also "quoted extension" "fovea train '$work/it'\\''s a run' --continue" err
# Twice, as `timeout` sends it, and a hangup from terminal and shell: it is saved all the same.
for signal in INT TERM HUP; do
    begin train tiny.json $long run=twice_$signal
    until_ steps twice_$signal
    kill -$signal $child
    kill -$signal $child 2> /dev/null
    ended "twice $signal" 130
    saved twice_$signal || fail "twice $signal" "nothing is saved"
done
env --default-signal=INT timeout -s INT 3 "$FOVEA" train tiny.json $long run=timed > out 2> err
saved timed || { fail timeout "nothing is saved"; cat err; }
# Ignored by the parent: they stay ignored.
for signal in INT TERM HUP; do
    (trap '' $signal; exec "$FOVEA" train tiny.json $long max_steps=200 run=deaf_$signal > out 2> err) &
    child=$!
    until_ steps deaf_$signal
    kill -$signal $child
    ended "ignored $signal" 0
done
# Where nothing is to be saved the signal ends the process, as the parent sees.
mkfifo pipe
exec 3<> pipe
"$FOVEA" predict closed - < pipe > out 2> err 3>&- &
child=$!
until_ grep -q best.safetensors err
kill -TERM $child
ended "end by TERM" 143
exec 3>&-

# ---- what is half written goes with the process
mkdir many
i=0
while [ $i -lt 400 ]; do ln a.ppm many/$i.ppm; i=$((i + 1)); done
for signal in INT TERM HUP; do
    begin predict closed many many many many many many many many many many batch_size=1 threads=1 -o half.csv
    until_ ls half.csv.tmp.$child
    kill -$signal $child
    got=0
    wait $child || got=$?
    [ $got -gt 128 ] || fail "half $signal" "exit code $got"
    ls half.csv* 2> /dev/null && fail "half $signal" "is left"
done
# A reader that goes away ends it too, quietly, as it does other programs.
{
    got=0
    "$FOVEA" predict closed many many many many -o half.csv 2> err || got=$?
    echo $got > code
} | head -n 1 > /dev/null
[ "$(cat code)" = 141 ] || fail "reader" "exit code $(cat code)"
ls half.csv* 2> /dev/null && fail "reader" "the table is left"
grep -v '^closed/checkpoints/best' err && fail "reader" "it says something"

# What is made for a while is taken away.
begin data bench data model=resnet20 batches=100000 batch_size=4 threads=1
folder=
find_folder() {
    folder=$(readlink /proc/$child/fd/* 2> /dev/null | grep -o '^/tmp/fovea_bench_[^/]*' | head -n 1)
    [ -n "$folder" ]
}
until_ find_folder
kill -INT $child
ended "bench" 130
[ -n "$folder" ] && [ ! -e "$folder" ] || fail "bench" "$folder is left"

# ---- readers of the progress lines that go away: the training goes on
{ got=0; "$FOVEA" train tiny.json max_steps=40 run=piped 2>&1 || got=$?; echo $got > code; } | head -n 1 > /dev/null
[ "$(cat code)" = 0 ] || fail "piped" "exit code $(cat code)"
tail -n 1 piped/metrics.csv | grep -q '^40,' || fail "piped" "it ended early"
also "piped log" "40/40" piped/console.log

# ---- a limit of file sizes
expect limit_before 0 "6/6" train tiny.json run=limited
cksum limited/checkpoints/* > before
got=0
(ulimit -f 100; exec "$FOVEA" train limited --continue max_steps=8 > out 2> err) || got=$?
[ $got = 3 ] || { fail limit "exit code $got"; cat err; }
also limit_says "no file may be larger than" err
also limit_names "limited/checkpoints/" err
cksum limited/checkpoints/* | cmp -s - before || fail limit "the checkpoints have changed"
expect limit_after 0 "10/10" train limited --continue max_steps=10

# ---- a working folder that is gone
"$FOVEA" synth planes -o "$work/planes" per_class=6 classes=2 size=32 --quiet || fail planes
# gone NAME CODE TEXT ARGUMENTS...: as expect, from a folder that has been deleted.
gone() {
    mkdir "$work/gone" && cd "$work/gone" && rmdir "$work/gone"
    expect "$@"
    cd "$work"
    grep -qF "out of memory" output && fail "$1" "it speaks of memory"
    [ "$2" = 0 ] || also "$1 says" "the current folder has been deleted" err
}
unset FOVEA_RUN_ROOT
gone gone_run 3 "cannot create the folder runs" train model=resnet20 data="$work/planes" image_size=32
gone gone_data 3 "pictures" data check pictures
gone gone_report 3 "" report runs/x
gone gone_synth 3 "cannot create" synth planes -o x
gone gone_sheet 3 "" augment data="$work/planes"
gone gone_output 3 "cannot create m.1" help --man -o m.1
gone gone_config 0 '"model": "resnet18"' config model=resnet18
gone gone_absolute 0 "2/2" train model=resnet20 data="$work/planes" image_size=32 max_steps=2 run="$work/from_nowhere"
gone gone_predict 0 "predicted" predict "$work/from_nowhere" "$work/planes/test"

exit $failed
