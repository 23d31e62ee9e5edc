#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fovea synth: exit codes, messages, what lies in the folder. The program is $FOVEA.
set -eu
. "$(dirname "$0")/common/expect.sh"

small="per_class=5 size=32 classes=3"
expect list 0 "delta_fighter" synth --list
expect list_json 0 '["airliner_four", ' synth --list --json
expect keys 0 "per_class" synth --keys
expect no_set 2 "planes is the one set" synth ships -o "$work/x"
expect no_output 2 "-o FOLDER is needed" synth planes
expect unknown_key 2 'did you mean "classes"' synth planes -o "$work/x" clases=3
expect bad_value 2 "classes: 77 is out of range" synth planes -o "$work/x" classes=77
expect variant 2 "is not key=value" synth planes -o "$work/x" +nano
[ ! -e "$work/x" ] || fail "bad arguments" "something was written"
# shellcheck disable=SC2086
{
expect folder 0 "12 pictures to train" synth planes -o "$work/set" $small test=0.2 val=0
expect there_already 2 "--overwrite replaces it" synth planes -o "$work/set" $small
expect overwrite 0 '"hash": "' synth planes -o "$work/set" $small --overwrite --json
expect voc 0 "to validate" synth planes -o "$work/voc" format=voc pictures=5 size=96
expect yolo 0 "to validate" synth planes -o "$work/deep/yolo" --format yolo pictures=5 size=96
}
mkdir "$work/mine"
echo x > "$work/mine/photo.jpg"
expect foreign 2 "not empty" synth planes -o "$work/mine" --overwrite
[ -f "$work/mine/photo.jpg" ] || fail foreign "the file is gone"
expect no_place 3 "cannot create" synth planes -o /proc/none
for f in set/train/airliner_four/00001.png voc/Annotations/000001.xml deep/yolo/data.yaml deep/yolo/labels/train/000001.txt; do
    [ -s "$work/$f" ] || fail files "no $f"
done
# Interrupted: exit code 130 and nothing left.
env --default-signal=INT "$FOVEA" synth planes -o "$work/long" per_class=20000 --quiet 2> /dev/null &
pid=$!
sleep 1
kill -INT $pid
got=0
wait $pid || got=$?
if [ $got != 130 ] || ls "$work" | grep -q long; then
    fail interrupt "exit code $got, $(ls "$work")"
fi
exit $failed
