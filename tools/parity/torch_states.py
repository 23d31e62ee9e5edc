#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""States of PyTorch f32 runs, for tests/engine/test_parity*.c:

  torch_states.py tiny                      tests/golden/parity_tiny_{0,10}.safetensors (committed)
  torch_states.py states FOLDER CIFAR       FOLDER/state_{0,10,100,500}.safetensors: ResNet-18, the small example
  torch_states.py free FOLDER CIFAR [SEEDS] FOLDER/free_<seed>.safetensors: where runs start, their batches, and the losses
                                            of PyTorch with 1 and 2 threads and with channels_last

CIFAR is a folder of CIFAR-10 binary batches. Then FOVEA_PARITY_DIR=FOLDER build/release/tests/test_parity_f32.
A state: "param.<name>" (parameters and buffers), "x", "y", "loss" (mean) and "grad.<name>" before clipping.
The recipe: ImageNet stem, 32x32, inputs in [-1, 1], AdamW 1e-3, weight decay 0.05 on weights, clip 1.0, batch 32."""
import glob
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet18
from torchvision.models.resnet import BasicBlock

HERE = os.path.dirname(__file__)


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        down = nn.Sequential(nn.Conv2d(8, 16, 1, 2, bias=False), nn.BatchNorm2d(16))
        self.layer1, self.layer2 = nn.Sequential(BasicBlock(8, 8)), nn.Sequential(BasicBlock(8, 16, 2, down))
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer2(self.layer1(x)).mean((2, 3)))


def optimizer_of(model):
    groups = [{"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.05},
              {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3)


def params(model):
    both = [*model.named_parameters(), *((n, b) for n, b in model.named_buffers() if b.is_floating_point())]
    return {"param." + n: t.detach().clone().contiguous() for n, t in both}


def train(model, batches, keep=(), write=None):
    """Losses of the steps; write(step, tensors) gets the states of the steps in `keep`."""
    optimizer, losses = optimizer_of(model.train()), []
    for step, (x, y) in enumerate(batches):
        before = params(model) if step in keep else None
        loss = F.cross_entropy(model(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        if before is not None:
            grads = {"grad." + n: p.grad.detach().clone().contiguous() for n, p in model.named_parameters()}
            write(step, {**before, **grads, "x": x.contiguous(), "y": y, "loss": loss.detach()})
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return losses


class Cifar:
    def __init__(self, folder):
        files = sorted(glob.glob(os.path.join(folder, "**", "data_batch*.bin"), recursive=True))
        rows = np.concatenate([np.fromfile(f, np.uint8).reshape(-1, 3073) for f in files])
        self.labels = torch.from_numpy(rows[:, 0].astype(np.int64))
        self.pictures = torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32).copy())

    def batches(self, steps, seed):
        g = torch.Generator().manual_seed(seed)
        order = torch.cat([torch.randperm(len(self.labels), generator=g) for _ in range(steps * 32 // len(self.labels) + 1)])
        for i in range(steps):
            rows = order[32 * i:32 * i + 32]
            yield self.pictures[rows].float() / 127.5 - 1, self.labels[rows]


def tiny():
    torch.manual_seed(3)
    g = torch.Generator().manual_seed(4)
    batches = [(torch.rand(8, 3, 16, 16, generator=g) * 2 - 1, torch.randint(10, (8,), generator=g)) for _ in range(11)]
    path = os.path.join(HERE, "..", "..", "tests", "golden", "parity_tiny_{}.safetensors")
    print("tiny", train(Tiny(), batches, (0, 10), lambda step, t: save_file(t, path.format(step))))


def states(folder, cifar):
    torch.manual_seed(0)
    os.makedirs(folder, exist_ok=True)
    losses = train(resnet18(num_classes=10), Cifar(cifar).batches(501, 0), (0, 10, 100, 500),
                   lambda step, t: save_file(t, os.path.join(folder, f"state_{step}.safetensors")))
    print("states", [round(losses[i], 4) for i in (0, 10, 100, 500)])


def free(folder, cifar, seeds, steps=50):
    os.makedirs(folder, exist_ok=True)
    for seed in range(seeds):
        torch.manual_seed(seed)
        start = resnet18(num_classes=10).state_dict()
        batches = list(Cifar(cifar).batches(steps, seed))
        out = {}
        for name, threads, layout in (("one", 1, torch.contiguous_format), ("two", 2, torch.contiguous_format), ("last", 1, torch.channels_last)):
            torch.set_num_threads(threads)
            model = resnet18(num_classes=10)
            model.load_state_dict(start)
            if not out:
                out = params(model)
            out["loss_" + name] = torch.tensor(train(model.to(memory_format=layout), [(x.to(memory_format=layout), y) for x, y in batches]), dtype=torch.float64)
        out["x"], out["y"] = torch.stack([b[0] for b in batches]), torch.stack([b[1] for b in batches])
        save_file(out, os.path.join(folder, f"free_{seed}.safetensors"))
        print("free", seed, [f"{(out['loss_one'] - out['loss_' + n]).square().mean().sqrt():.3g}" for n in ("two", "last")])


if __name__ == "__main__":
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if word == "tiny":
        tiny()
    elif word == "states" and len(sys.argv) == 4:
        states(*sys.argv[2:])
    elif word == "free" and len(sys.argv) in (4, 5):
        free(*sys.argv[2:4], int(sys.argv[4]) if len(sys.argv) == 5 else 5)
    else:
        sys.exit(__doc__)
