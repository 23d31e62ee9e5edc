# SPDX-License-Identifier: Apache-2.0
"""Compares what TensorBoard reads from a folder of event files with metrics.csv: read_events.py FOLDER CSV STEPS"""

import csv
import io
import sys

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAGS = {"train/loss": "loss", "train/lr": "lr", "train/grad_norm": "grad_norm", "val/loss": "val_loss", "val/acc": "val_acc",
        "val/top5": "val_top5", "val/f1": "val_f1", "val/precision": "val_precision", "val/recall": "val_recall"}


def main():
    folder, path, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
    events = EventAccumulator(folder, size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    rows = list(csv.DictReader(open(path, encoding="utf-8")))
    assert [int(r["step"]) for r in rows] == list(range(1, steps + 1)), "rows of metrics.csv"
    for tag, column in TAGS.items():
        want = {int(r["step"]): float(r[column]) for r in rows if r[column]}
        have = [(e.step, e.value) for e in events.Scalars(tag)]
        assert [s for s, _ in have] == sorted(want), f"{tag}: steps {[s for s, _ in have]}"
        for step, value in have:
            assert abs(value - want[step]) <= 1e-5 * (1 + abs(want[step])), f"{tag} at {step}: {value}, not {want[step]}"
    for tag in ("train/pictures", "val/worst_mistakes", "val/confusion_matrix"):
        for e in events.Images(tag):
            picture = Image.open(io.BytesIO(e.encoded_image_string))
            picture.load()
            assert picture.size == (e.width, e.height), tag
    print(f"TensorBoard reads {len(TAGS)} curves and the pictures of {steps} steps")


main()
