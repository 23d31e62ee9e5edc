#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs of the program with everything on (augmentation, loader threads, cache, mixed precision, accumulation, moving average,
# plateau, best, events, report) are killed at random moments and started again until they end: the files that they leave equal
# those of a run that nothing disturbed. FOVEA_TEST_CLI_KILLS: how many (200: some ten minutes). The program is $FOVEA.
set -u
. "$(dirname "$0")/common/expect.sh"
kills=${FOVEA_TEST_CLI_KILLS:-9} in_a_row=3

"$FOVEA" synth planes -o planes per_class=8 classes=3 size=40 --quiet || exit 1
cat > everything.json << 'END'
{"model": "resnet20", "data": {"root": "planes", "workers": 2, "cache_mb": 16}, "image_size": 32, "threads": 1, "seed": 3,
 "augment": {"random_resized_crop": {"p": 1}, "pad_crop": 2, "horizontal_flip": 0.5, "color_jitter": {"p": 0.5}},
 "batch_size": 3, "gradient_accumulation_steps": 2, "max_steps": 10, "validate_every": 2, "save_every": 1, "monitor": "loss",
 "enable_amp": true, "optimizer": "adamw", "max_grad_norm": 1, "loss": {"label_smoothing": 0.1}, "ema_decay": 0.9,
 "scheduler": "plateau", "plateau": {"patience": 0}, "run": "runs/everything"}
END
# Run folders stand at the same place while they are made: paths are in the configuration that checkpoints carry.
train() { "$FOVEA" train everything.json --quiet > out 2> err; }

now() { date +%s%N; }
begin=$(now)
train || { fail straight; cat err; exit 1; }
whole=$((($(now) - begin) / 1000000))
mv runs/everything straight

# delay N: milliseconds, the N-th draw between 0 and the time of a whole run.
delay() { awk -v n="$1" -v whole="$whole" 'BEGIN { srand(20231 + n); rand(); print int(rand() * whole) }'; }

# equal ROUND: the finished run holds what the undisturbed one does.
equal() {
    for file in checkpoints/best.safetensors checkpoints/latest.safetensors checkpoints/latest.state.safetensors \
        checkpoints/previous.safetensors checkpoints/previous.state.safetensors \
        config.json origins.json classes.txt split.csv metrics.csv evaluation.json segments.json; do
        cmp -s "straight/$file" "runs/everything/$file" || fail "round $1" "$file differs"
    done
    [ -s runs/everything/report.html ] && [ -s runs/everything/summary.json ] || fail "round $1" "no report or summary"
    left=$(find runs/everything -name '*.tmp.*')
    [ -z "$left" ] || fail "round $1" "left behind: $left"
}

died=0 tried=0 round=0
while [ $died -lt "$kills" ] && [ $tried -lt $((4 * kills)) ]; do
    rm -rf runs/everything
    i=0
    while [ $i -lt $in_a_row ]; do
        (exec "$FOVEA" train everything.json --quiet > out 2> err) &
        pid=$!
        sleep "$(awk -v ms="$(delay $tried)" 'BEGIN { print ms / 1000 }')"
        kill -KILL $pid 2> /dev/null
        wait $pid 2> /dev/null
        [ $? = 137 ] && died=$((died + 1))
        i=$((i + 1)) tried=$((tried + 1))
    done
    train || { fail "round $round" "it does not go on"; cat err; }
    equal $round
    round=$((round + 1))
done
echo "killed: $died of $tried, $round runs compared"
[ $died -ge "$kills" ] || fail killed "too few processes died"
exit $failed
