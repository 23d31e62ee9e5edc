#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rounding of a convolution by F(4x4, 3x3) in f32 for several points 0, +-a, +-b, infinity: largest and rms error over 64
channels of normal numbers. src/ir/layout.h has the pair that was chosen. Needs numpy."""
import numpy as np

CHANNELS, OUTS, TILES = 64, 32, 200
PAIRS = [(1, 2), (.5, 1), (.5, 2), (2 ** -.5, 2 ** .5), (.5, 1.5), (.75, 1.5), (.625, 1.25), (.75, 1.25), (.6, 1.5), (.625, 1.5)]


def matrices(a, b):
    s, p, na, nb = a * a + b * b, (a * b) ** 2, 2 * a * a * (a * a - b * b), 2 * b * b * (b * b - a * a)
    out = np.array([[1, 1, 1, 1, 1, 0], [0, a, -a, b, -b, 0], [0, a * a, a * a, b * b, b * b, 0], [0, a ** 3, -a ** 3, b ** 3, -b ** 3, 1]])
    weights = np.array([[1 / p, 0, 0], [1 / na, a / na, a * a / na], [1 / na, -a / na, a * a / na],
                        [1 / nb, b / nb, b * b / nb], [1 / nb, -b / nb, b * b / nb], [0, 0, 1]])
    pixels = np.array([[p, 0, -s, 0, 1, 0], [0, -a * b * b, -b * b, a, 1, 0], [0, a * b * b, -b * b, -a, 1, 0],
                       [0, -b * a * a, -a * a, b, 1, 0], [0, b * a * a, -a * a, -b, 1, 0], [0, p, 0, -s, 0, 1]])
    return out, weights, pixels


def product(matrix, x, axis):
    return np.moveaxis(np.tensordot(matrix.astype(np.float32), x, axes=(1, axis)).astype(np.float32), 0, axis)


random = np.random.default_rng(0)
x = random.standard_normal((TILES, CHANNELS, 6, 6)).astype(np.float32)
w = random.standard_normal((OUTS, CHANNELS, 3, 3)).astype(np.float32)
want = np.zeros((TILES, OUTS, 4, 4))
for i in range(4):
    for j in range(4):
        want[:, :, i, j] = np.einsum("tcij,ocij->to", x[:, :, i:i + 3, j:j + 3].astype(float), w.astype(float))
scale = np.sqrt((want ** 2).mean())
for a, b in PAIRS:
    out, weights, pixels = matrices(a, b)
    u = np.einsum("ei,ocij,fj->ocef", weights, w.astype(float), weights).astype(np.float32)
    v = product(pixels, product(pixels, x, 2), 3)
    m = np.zeros((TILES, OUTS, 6, 6), np.float32)
    for c in range(CHANNELS):
        m += v[:, None, c] * u[None, :, c]
    error = np.abs(product(out, product(out, m, 2), 3) - want)
    print(f"{a:.4f} {b:.4f}: largest {(error / (np.abs(want) + scale)).max():.1e}, rms {np.sqrt((error ** 2).mean()) / scale:.1e}")
