#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The strong recipe here and in PyTorch: mean accuracies over seeds, and the 95 % interval of their difference (Welch).

  strong.py fovea   FILE --data CIFAR --fovea PROGRAM [--seeds 5] [--epochs 3] [--threads 2]
  strong.py pytorch FILE --data CIFAR                 [--seeds 5] [--epochs 3] [--threads 2]
  strong.py table   FILE

A side trains seeds that FILE (JSON) does not have yet, one after the other. CIFAR is a folder of CIFAR-10 binary batches. The
recipe is configs/cifar10_resnet18_strong.json; counted is the moving average's accuracy on the test pictures after the last epoch."""
import argparse
import copy
import csv
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "cifar10_resnet18_strong.json"
sys.path.insert(0, str(ROOT / "bench"))

from harness import mean_difference  # noqa: E402


def fovea(args, seed):
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        subprocess.run([args.fovea, "train", CONFIG, f"data={args.data}", f"seed={seed}", f"epochs={args.epochs}", f"threads={args.threads}",
                        f"run={run}", "--quiet"], check=True)
        return float(list(csv.DictReader(open(run / "metrics.csv")))[-1]["val_acc"])


def records(numpy, paths):
    rows = numpy.concatenate([numpy.fromfile(path, dtype=numpy.uint8).reshape(-1, 3073) for path in paths])
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(numpy.int64)


def augmented(numpy, random, images):
    """Black border of 4, a random 32x32 window of it, mirrored half of the time; a draw for each picture."""
    padded = numpy.pad(images, ((0, 0), (0, 0), (4, 4), (4, 4)))
    out = numpy.empty_like(images)
    for i, (y, x, flip) in enumerate(zip(*random.integers(0, 9, (2, len(images))), random.integers(0, 2, len(images)))):
        window = padded[i, :, y:y + 32, x:x + 32]
        out[i] = window[:, :, ::-1] if flip else window
    return out


def pytorch(args, seed):
    import numpy
    import torch
    sys.path.insert(0, str(ROOT / "bench" / "rivals"))
    import torch_models

    torch.set_num_threads(args.threads)
    torch.manual_seed(seed)
    random = numpy.random.default_rng(seed)
    config = json.loads(subprocess.run([args.fovea, "config", CONFIG], check=True, capture_output=True, text=True).stdout)
    folder, batch, decay = pathlib.Path(args.data), config["batch_size"], config["ema_decay"]
    train, test = records(numpy, sorted(folder.glob("data_batch_*.bin"))), records(numpy, [folder / "test_batch.bin"])
    mean, std = (numpy.array(config["normalize"][key], numpy.float32).reshape(1, 3, 1, 1) for key in ("mean", "std"))
    model = torch_models.build("resnet18_cifar").to(memory_format=torch.channels_last)
    average = copy.deepcopy(model).eval()
    weights = [p for p in model.parameters() if p.ndim > 1]
    optimizer = torch.optim.SGD([{"params": weights, "weight_decay": config["weight_decay"]},
                                 {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0}],
                                lr=config["learning_rate"], momentum=config["momentum"], nesterov=config["nesterov"], fused=True)
    steps = math.ceil(len(train[1]) / batch) * args.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config["learning_rate"], total_steps=steps)

    def tensor(images):
        return torch.from_numpy((images.astype(numpy.float32) / 255 - mean) / std).contiguous(memory_format=torch.channels_last)

    step = 0
    for _ in range(args.epochs):
        order = random.permutation(len(train[1]))
        for begin in range(0, len(order), batch):
            index = order[begin:begin + batch]
            logits = model(tensor(augmented(numpy, random, train[0][index])))
            loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(train[1][index]), label_smoothing=config["loss"]["label_smoothing"])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if step + 1 < steps:
                schedule.step()
            keep = min(decay, (1 + step) / (10 + step)) if step else 0
            step += 1
            with torch.no_grad():
                for a, m in zip(average.state_dict().values(), model.state_dict().values()):
                    if a.is_floating_point():
                        a.mul_(keep).add_(m, alpha=1 - keep)
                    else:
                        a.copy_(m)
    right = 0
    with torch.no_grad():
        for begin in range(0, len(test[1]), 250):
            right += (average(tensor(test[0][begin:begin + 250])).argmax(1).numpy() == test[1][begin:begin + 250]).sum()
    return float(right) / len(test[1])


def table(rows):
    for epochs in sorted({row["epochs"] for row in rows}):
        sides = {side: [row["accuracy"] for row in rows if row["side"] == side and row["epochs"] == epochs] for side in ("fovea", "pytorch")}
        for side, values in sides.items():
            spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
            print(f"{epochs} epochs, {side}: {len(values)} seeds, {statistics.mean(values) if values else math.nan:.4f}{spread}: {values}")
        if all(len(values) > 1 for values in sides.values()):
            d = mean_difference(sides["fovea"], sides["pytorch"])
            print(f"{epochs} epochs, difference {d['difference']:+.4f}, 95 % interval {d['low']:+.4f} to {d['high']:+.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=["fovea", "pytorch", "table"])
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--data")
    parser.add_argument("--fovea", default="build/release/fovea")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    rows = json.loads(args.file.read_text()) if args.file.exists() else []
    if args.side == "table":
        return table(rows)
    for seed in range(args.seeds):
        if any((row["side"], row["seed"], row["epochs"]) == (args.side, seed, args.epochs) for row in rows):
            continue
        accuracy = {"fovea": fovea, "pytorch": pytorch}[args.side](args, seed)
        print(f"{args.side}, seed {seed}: {accuracy:.4f}", flush=True)
        rows = json.loads(args.file.read_text()) if args.file.exists() else []
        rows.append({"side": args.side, "seed": seed, "epochs": args.epochs, "accuracy": accuracy})
        args.file.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
