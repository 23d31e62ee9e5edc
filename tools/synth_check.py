#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is `fovea synth planes` a set that only shapes solve? Run by hand: tools/synth_check.py build/release/fovea [DIR]

Logistic regression on 8x8x8 colour histograms must stay below chance + 15 points for 8 and for 20 classes. With --train
(needs PyTorch and torchvision) a ResNet-18 is trained on the 8 classes as configs/demo.json does, and must reach 90 %.
With --sheet FILE.png a sheet of pictures to look at is written. Needs numpy, Pillow, scikit-learn."""
import argparse
import pathlib
import subprocess
import tempfile
import time

import numpy as np
from PIL import Image


def make(fovea, folder, **keys):
    subprocess.run([fovea, "synth", "planes", "-o", str(folder), "--quiet", *[f"{k}={v}" for k, v in keys.items()]], check=True)


def read(folder, split):
    names = (folder / "classes.txt").read_text().split()
    pictures, labels = [], []
    for label, name in enumerate(names):
        for path in sorted((folder / split / name).iterdir()):
            pictures.append(np.asarray(Image.open(path).convert("RGB")))
            labels.append(label)
    return np.stack(pictures), np.array(labels), names


def histograms(pictures):
    bins = (pictures >> 5).astype(int)
    index = bins[..., 0] * 64 + bins[..., 1] * 8 + bins[..., 2]
    return np.stack([np.bincount(i.ravel(), minlength=512) for i in index]) / index[0].size


def colours(folder):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    from sklearn.pipeline import make_pipeline
    x, y, names = read(folder, "train")
    u, v, _ = read(folder, "test")
    best = 0
    for scaled in (False, True):
        for c in (0.01, 1, 100):            # the best of all, to be on the safe side
            model = LogisticRegression(C=c, max_iter=500)
            model = make_pipeline(StandardScaler(), model) if scaled else model
            best = max(best, model.fit(histograms(x), y).score(histograms(u), v))
    limit = 1 / len(names) + 0.15
    print(f"{len(names)} classes: colour histograms {best:.1%}, limit {limit:.1%}: {'ok' if best < limit else 'FAILED'}")
    return best < limit


def train(folder, epochs):
    import torch
    import torchvision
    torch.manual_seed(0)
    data = {}
    for split in ("train", "test"):
        x, y, names = read(folder, split)
        data[split] = ((torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255 - 0.45) / 0.22, torch.from_numpy(y))
    model = torchvision.models.resnet18(num_classes=len(names))
    x, y = data["train"]
    batch, steps = 32, epochs * (len(x) // 32)
    # weight decay: as configs/demo.json
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    begin = time.time()
    for epoch in range(epochs):
        order = torch.randperm(len(x))
        for i in range(len(x) // batch):
            pick = order[i * batch:(i + 1) * batch]
            a = x[pick]
            if torch.rand(()) < 0.5:
                a = a.flip(3)
            a = torch.rot90(a, int(torch.randint(4, ())), (2, 3)) if ROTATE else a
            loss = torch.nn.functional.cross_entropy(model(a), y[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        u, v = data["test"]
        with torch.no_grad():
            p = torch.cat([model(c).argmax(1) for c in u.split(128)])
        model.train()
        print(f"  epoch {epoch + 1}: {(p == v).float().mean():.1%} after {time.time() - begin:.0f} s", flush=True)
    accuracy = (p == v).float().mean().item()
    for k, name in enumerate(names):
        print(f"    {name:22} {(p[v == k] == k).float().mean():.1%}")
    return accuracy >= 0.9


ROTATE = False


def sheet(folder, path, columns=10):
    x, y, names = read(folder, "train")
    rows = [np.concatenate([np.pad(p, ((1, 1), (1, 1), (0, 0))) for p in x[y == k][:columns]], 1) for k in range(len(names))]
    Image.fromarray(np.concatenate(rows)).save(path)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("fovea")
    p.add_argument("--train", type=int, metavar="EPOCHS")
    p.add_argument("--per-class", type=int, default=500)
    p.add_argument("--sheet")
    a = p.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as work:
        for classes in (8, 20):
            folder = pathlib.Path(work) / f"c{classes}"
            make(a.fovea, folder, classes=classes, per_class=a.per_class)
            good &= colours(folder)
        if a.sheet:
            sheet(pathlib.Path(work) / "c20", a.sheet)
        if a.train:
            good &= train(pathlib.Path(work) / "c8", a.train)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
