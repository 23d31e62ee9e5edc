#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The safetensors package reads the checkpoints of a run: names, shapes and kinds of torchvision's ResNet-18, metadata, and the state
# that belongs to the weights. Needs FOVEA_PEERS=PYTHON, a Python with the packages safetensors and numpy; skipped without.
# Usage: safetensors.sh SOURCE; the program is $FOVEA.
set -eu
source=$1
. "$source/tests/tools/common/peer_run.sh"
peer_with safetensors.numpy
"$FOVEA" train model=resnet18 data=data run=run batch_size=4 max_steps=2 save_every=1 validate_every=2 ema_decay=0.9 optimizer=adamw threads=1 \
    data.workers=1 --quiet
"$FOVEA_PEERS" - << 'END'
import json, numpy
from safetensors import safe_open
from safetensors.numpy import load_file

def load(name):
    with safe_open(f"run/checkpoints/{name}.safetensors", "numpy") as f:
        return load_file(f"run/checkpoints/{name}.safetensors"), f.metadata()

best, meta = load("best")
latest, latest_meta = load("latest")
state, state_meta = load("latest.state")
previous, previous_meta = load("previous")
assert len(best) == 122 and best.keys() == latest.keys() == previous.keys(), len(best)
assert best["conv1.weight"].shape == (64, 3, 7, 7) and best["layer4.0.downsample.0.weight"].shape == (512, 256, 1, 1)
assert best["fc.weight"].shape == (10, 512) and best["bn1.running_var"].shape == (64,)
for name, value in best.items():
    assert value.dtype == (numpy.int64 if name.endswith("num_batches_tracked") else numpy.float32), (name, value.dtype)
    assert numpy.isfinite(value).all(), name
assert meta["format"] == "pt" and meta["fovea.model"] == "resnet18" and meta["fovea.step"] == "2" and meta["fovea.ema"] == "true", meta
assert len(json.loads(meta["fovea.classes"])) == 10 and json.loads(meta["fovea.config"])["batch_size"] == 4
assert latest_meta["fovea.ema"] == "false" and previous_meta["fovea.step"] == "1"
assert state_meta["fovea.weights_hash"] == latest_meta["fovea.hash"] and json.loads(state_meta["fovea.position"])["step"] == 2
averaged = [name for name in best if name + ":ema" in state]
assert len(averaged) >= 62, len(averaged)
for name in averaged:
    assert (best[name] == state[name + ":ema"]).all(), name
assert any((best[name] != latest[name]).any() for name in averaged)
weights = [name for name in best if name + ":exp_avg" in state]
assert len(weights) == 62 and all(state[name + ":exp_avg_sq"].shape == best[name].shape and name + ":step" in state for name in weights), len(weights)
print("read by the safetensors package: ok")
END
