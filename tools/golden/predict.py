# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/predict.txt: logits from a picture's bytes on, by Pillow and ONNX Runtime.

    python3 tools/golden/predict.py FOVEA

A line a picture of tests/fuzz/corpus: "FORMAT/FILE LOGIT ...". The model is resnet18 with the initial weights of seed 3, ten
classes, 64 pixels, exported by `fovea export`; the preprocessing is that of its metadata, done by Pillow.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnxruntime
from PIL import Image, ImageOps

TESTS = pathlib.Path(__file__).resolve().parents[2] / "tests"
PICTURES = ["jpeg/plain.jpg", "jpeg/progressive.jpg", "jpeg/422.jpg", "jpeg/cmyk.jpg", "jpeg/turn6.jpg", "png/rgb.png", "webp/lossy.webp"]


def numbers(path, meta):
    """(3, size, size): shorter side to size / crop_pct, the middle, pixels in 0..1, minus mean, by std."""
    size, share = json.loads(meta["imgsz"])[0], float(meta["crop_pct"])
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    width, height = picture.size
    side = int(size / share)
    width, height = (side, int(side * height / width)) if width <= height else (int(side * width / height), side)
    picture = picture.resize((width, height), Image.BILINEAR)
    left, top = int(round((width - size) / 2.0)), int(round((height - size) / 2.0))
    picture = picture.crop((left, top, left + size, top + size))
    mean, std = (numpy.float32(json.loads(meta[k])).reshape(3, 1, 1) for k in ("mean", "std"))
    pixels = numpy.asarray(picture, dtype=numpy.float32).transpose(2, 0, 1) / numpy.float32(255)
    return (pixels - mean) / std


def logits(model, paths):
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    meta = session.get_modelmeta().custom_metadata_map
    return session.run(["output"], {"input": numpy.stack([numbers(p, meta) for p in paths])})[0]


def main():
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "model.onnx"
        subprocess.run([sys.argv[1], "export", "resnet18", "classes=10", "seed=3", "image_size=64", "-o", model], check=True)
        rows = logits(model, [TESTS / "fuzz" / "corpus" / p for p in PICTURES])
    lines = [f"{name} {' '.join(f'{v:.6f}' for v in row)}\n" for name, row in zip(PICTURES, rows)]
    (TESTS / "golden" / "predict.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
