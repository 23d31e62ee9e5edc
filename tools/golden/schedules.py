# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/schedules.txt: the rate (and momentum) that PyTorch's schedulers use for each update.

    python3 tools/golden/schedules.py > tests/golden/schedules.txt

A case: "case KIND BASE MIN WARMUP TOTAL GAMMA RESTART RESTART_MULT N MILESTONES...", then N rows "rate momentum". Cases of
plateau: "plateau MODE THRESHOLD_MODE BASE MIN FACTOR PATIENCE THRESHOLD COOLDOWN N", rows "figure rate": the rate after
the validation with this figure. tests/unit/test_schedule.c reads them.
"""

import warnings

import numpy as np
import torch
from torch.optim import lr_scheduler as lrs

warnings.filterwarnings("ignore")


def optimizer(rate):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate, momentum=0.9)


def warmed(o, warmup, rest):
    """Linear warm-up base * (t + 1) / warmup, then `rest` from its own beginning."""
    if not warmup:
        return rest
    linear = lrs.LinearLR(o, start_factor=1 / warmup, end_factor=1.0, total_iters=max(warmup - 1, 1))
    return lrs.SequentialLR(o, [linear, rest], milestones=[warmup])


def case(kind, make, n, base=0.1, minimum=0.0, warmup=0, total=0, gamma=0.1, restart=0, mult=1, milestones=()):
    o = optimizer(base)
    scheduler = make(o)
    print("case", kind, repr(base), repr(minimum), warmup, total, repr(gamma), restart, mult, n, *milestones)
    for _ in range(n):
        print(repr(float(o.param_groups[0]["lr"])), repr(float(o.param_groups[0]["momentum"])))
        o.step()
        try:
            scheduler.step()
        except ValueError:                                  # OneCycleLR: no step beyond the last
            break


def plateau(rng, mode, threshold_mode, factor, patience, threshold, cooldown, minimum, n=40, base=0.5, holes=()):
    o = optimizer(base)
    scheduler = lrs.ReduceLROnPlateau(o, mode=mode, factor=factor, patience=patience, threshold=threshold, threshold_mode=threshold_mode,
                                      cooldown=cooldown, min_lr=minimum)
    print("plateau", mode, threshold_mode, repr(base), repr(minimum), repr(factor), patience, repr(threshold), cooldown, n)
    sign = 1 if mode == "max" else -1
    for i in range(n):
        value = float("nan") if i in holes else round(float(2 + sign * (0.6 * np.log1p(i / 6) + 0.05 * rng.normal())), 4)
        scheduler.step(value)
        print("nan" if np.isnan(value) else repr(value), repr(float(o.param_groups[0]["lr"])))


def main():
    for base in (0.1, 3e-4):
        case("constant", lambda o: lrs.LambdaLR(o, lambda t: 1.0), 5, base=base)
    case("constant", lambda o: warmed(o, 4, lrs.LambdaLR(o, lambda t: 1.0)), 10, warmup=4)
    case("cosine", lambda o: lrs.CosineAnnealingLR(o, 20, eta_min=0.001), 21, minimum=0.001, total=20)
    case("cosine", lambda o: lrs.CosineAnnealingLR(o, 7), 8, base=1.0, total=7)
    for base, minimum, warmup, total in ((1e-3, 1e-4, 5, 30), (0.1, 0.0, 10, 25), (0.01, 0.001, 1, 12)):
        case("warmup_cosine", lambda o: warmed(o, warmup, lrs.CosineAnnealingLR(o, total - warmup, eta_min=minimum)), total + 1,
             base=base, minimum=minimum, warmup=warmup, total=total)
    case("multi_step", lambda o: lrs.MultiStepLR(o, [3, 8], gamma=0.1), 12, milestones=(3, 8))
    case("multi_step", lambda o: lrs.MultiStepLR(o, [2, 5, 5, 9], gamma=0.5), 12, gamma=0.5, milestones=(2, 5, 5, 9))
    for total in (10, 37, 100):
        case("one_cycle", lambda o: lrs.OneCycleLR(o, max_lr=0.4, total_steps=total), total, base=0.4, total=total)
    for restart, mult, minimum in ((3, 2, 0.0), (5, 1, 0.01), (4, 3, 0.001), (1, 2, 0.0), (1, 1, 0.02)):
        case("warm_restarts", lambda o: lrs.CosineAnnealingWarmRestarts(o, restart, mult, eta_min=minimum), 60, minimum=minimum,
             restart=restart, mult=mult)
    rng = np.random.default_rng(0)
    for mode in ("min", "max"):
        plateau(rng, mode, "rel", 0.1, 2, 1e-4, 0, 0.0)
        plateau(rng, mode, "abs", 0.5, 1, 0.02, 2, 0.01)
        plateau(rng, mode, "rel", 0.3, 0, 0.01, 1, 0.0, n=60)
        plateau(rng, mode, "abs", 0.1, 3, 0.0, 0, 0.0, holes=(4, 5, 6, 7, 8, 20))
        plateau(rng, mode, "rel", 0.5, 10, 1e-4, 0, 0.1)


main()
