#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A real disk that gets full: a small file system of its own, larger each time. Exit code 3 and the file's name, nothing half
# written, and the run goes on when there is room. (tests/engine/test_disk.c fails every single call.) The program is $FOVEA.
set -eu
if [ "${1:-}" != inside ]; then
    unshare -rm true 2> /dev/null || { echo "skipped: no mount namespace may be made here"; exit 77; }
    exec unshare -rm sh "$0" inside
fi
work=$(mktemp -d)
disk=$work/disk
mkdir "$disk"
trap 'umount "$disk" 2> /dev/null; rm -rf "$work"' EXIT
mount -t tmpfs -o size=64k none "$disk" 2> /dev/null || { echo "skipped: no file system may be mounted here"; exit 77; }
cd "$work"
export OMP_WAIT_POLICY=passive
failed=0
fail() { echo "FAILED: $*"; cat "$work/err"; failed=1; }

"$FOVEA" synth planes -o planes per_class=8 classes=3 size=32 --quiet
train() {
    got=0
    "$FOVEA" train model=resnet20 data=planes image_size=32 batch_size=4 max_steps=4 save_every=1 validate_every=1 threads=1 ema_decay=0.9 \
        run="$disk/run" --quiet > out 2> err || got=$?
}
# whole: nothing is left of a file that was written aside.
whole() { [ -z "$(find "$disk" -name '*.tmp.*')" ] || fail "$1: $(find "$disk" -name '*.tmp.*') is left"; }

full=0
for size in 8k 40k 100k 1200k 2500k 4000k 6000k 9000k; do
    rm -rf "$disk/run" && mount -o remount,size=$size "$disk"
    train
    whole "$size"
    if [ $got != 0 ]; then
        full=$((full + 1))
        [ $got = 3 ] || fail "$size: exit code $got"
        grep -q "$disk/run.*No space left on device" err || fail "$size: the error does not name file and cause"
        mount -o remount,size=40m "$disk"
        train
        [ $got = 0 ] || fail "$size: it does not go on, exit code $got"
        whole "$size, resumed"
        [ "$(tail -n 1 "$disk/run/metrics.csv" | cut -d, -f1)" = 4 ] || fail "$size: metrics.csv does not end with step 4"
        "$FOVEA" eval "$disk/run" data=planes --json > out 2> err || fail "$size: eval"
    fi
done
[ $full -ge 4 ] || fail "only $full sizes were too small"
echo "$full file systems were too small"

# ---- a file system that may only be read: a run stays what it is, and goes on when it may be written again
rm -rf "$disk/run" && mount -o remount,size=40m "$disk"
train
cp -r "$disk/run" kept
mount -o remount,ro "$disk"
got=0
"$FOVEA" train "$disk/run" --continue max_steps=6 --quiet > out 2> err || got=$?
[ $got = 3 ] && grep -q "$disk/run.*Read-only file system" err || fail "read only: exit code $got"
got=0
"$FOVEA" train model=resnet20 data=planes image_size=32 run="$disk/new" --quiet > out 2> err || got=$?
[ $got = 3 ] && grep -q "$disk/new.*Read-only file system" err || fail "read only, a new run: exit code $got"
diff -r "$disk/run" kept > err || fail "read only: the run is not what it was"
mount -o remount,rw,size=40m "$disk"
"$FOVEA" train "$disk/run" --continue max_steps=6 --quiet > out 2> err || fail "writable again"
[ "$(tail -n 1 "$disk/run/metrics.csv" | cut -d, -f1)" = 6 ] || fail "writable again: metrics.csv does not end with step 6"
[ $failed = 0 ] && echo "read only: ok"

# ---- single outputs on a file system with no room at all
cp -r "$disk/run" run
rm -rf "$disk/run" && mount -o remount,size=8k "$disk"
dd if=/dev/zero of="$disk/fill" bs=4k 2> /dev/null || true
# refuses NAME FILE ARGUMENTS...: exit code 3 (1 for standard output), a message, and nothing at FILE.
refuses() {
    name=$1 file=$2 code=3
    shift 2
    got=0
    "$FOVEA" "$@" > out 2> err || got=$?
    [ $got = $code ] || fail "$name: exit code $got"
    grep -q "$file" err || fail "$name: the error does not name $file"
    [ ! -e "$file" ] || fail "$name: $file is there"
    whole "$name"
}
refuses report "$disk/r.html" report run -o "$disk/r.html"
refuses export "$disk/m.onnx" export run -o "$disk/m.onnx"
refuses predict "$disk/p.csv" predict run planes/test -o "$disk/p.csv"
refuses synth "$disk/set" synth planes -o "$disk/set" per_class=5 size=32
refuses tune "$disk/t.json" tune resnet20 batch_size=1 input=3x32x32 mode=infer threads=1 -o "$disk/t.json"
refuses manual "$disk/f.1" help --man -o "$disk/f.1"
refuses reference "$disk/c.md" config --reference -o "$disk/c.md"
if [ -e /dev/full ]; then
    got=0
    "$FOVEA" eval run data=planes --json > /dev/full 2> err || got=$?
    [ $got = 1 ] || fail "standard output: exit code $got"
    # The log of the console is no reason to stop.
    cp -r run logged && ln -sf /dev/full logged/console.log
    got=0
    "$FOVEA" train logged --continue max_steps=7 > out 2> err || got=$?
    [ $got = 0 ] || fail "console.log: exit code $got"
    grep -q "console.log ends here: No space left on device" err || fail "console.log: no warning"
fi
[ $failed = 0 ] && echo "disk full: ok"
exit $failed
