#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# TensorBoard's own reader reads the events of a run that was killed and went on: every step once, the values of
# metrics.csv. Needs FOVEA_PEERS=PYTHON, a Python with the packages tensorboard and Pillow; skipped without.
# Usage: tensorboard.sh SOURCE; the program is $FOVEA.
set -eu
source=$1
. "$source/tests/tools/common/peer_run.sh"
peer_with 'tensorboard, PIL'
set -- train model=resnet18 data=data run=run batch_size=4 max_steps=30 save_every=7 validate_every=5 threads=1 data.workers=1 \
    tensorboard_dir=events --quiet
"$FOVEA" "$@" &
child=$!
i=0
while [ ! -s run/checkpoints/latest.state.safetensors ] && [ $i -lt 600 ]; do
    sleep 0.1
    i=$((i + 1))
done
sleep 0.4                                   # some updates beyond the checkpoint: their events are void
kill -9 $child
wait $child 2> /dev/null || true
"$FOVEA" "$@"
"$FOVEA_PEERS" "$source/tests/tools/read_events.py" events run/metrics.csv 30
