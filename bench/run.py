#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares Fovea with PyTorch and ONNX Runtime on this machine; writes bench/results/<date>-<cpu>.json and the tables.

    bench/run.py --fovea build/release/fovea --python ENVIRONMENT/bin/python [--data CIFAR] [--pictures FOLDER] [--demo] [--only WORD ...]

Standard library only. The environment of --python has what bench/rivals/requirements.txt lists; --data is a folder with
CIFAR-10 binary batches, without it the small example is left out; --pictures is a folder of class folders of JPEG photos
(bench/pictures.py makes one), without it loading is left out. --demo: the training of ./dev demo.

On the same work our program and the rivals run alternately, in rounds, each in a process of its own. Samples in which a
process was preempted often are dropped, a process beside which others ran is repeated, and a case that stays disturbed is refused.
Where the system allows it all run at the same real-time priority.
PyTorch runs under bench/rivals/env.sh, eager and compiled, channels-last and contiguous: every variant in a first
round, the best one (and the second where it is close) afterwards. What counts is the median ratio of neighbours in time over
five rounds, more while they differ; quartiles stand beside it. --force measures on a busy machine (the tables then say
so), --tiny runs everything once on almost nothing: a test of these scripts.
"""

import argparse
import datetime
import itertools
import json
import os
import pathlib
import platform
import re
import statistics
import sys
import tempfile

import table
from harness import ATTEMPTS, Contestant, Disturbed, MOST_LOAD, Process, Runner, alternate, mean_difference, say

HERE = pathlib.Path(__file__).resolve().parent
LAYOUTS = ("channels_last", "contiguous")
TRAIN_VARIANTS = [(mode, layout, kernel) for mode in ("eager", "compile") for layout in LAYOUTS for kernel in ("fused", "foreach")
                  if (mode, kernel) != ("compile", "foreach")]
INFER_VARIANTS = list(itertools.product(("eager", "compile", "freeze"), LAYOUTS))
EXAMPLE_VARIANTS = list(itertools.product(("eager", "compile"), LAYOUTS))

CIFAR = {"model": "resnet18", "torch": "resnet18_cifar", "args": ["classes=10", "model_args.stem=cifar"], "input": "3x32x32"}
IMAGENET = {"model": "resnet18", "torch": "resnet18", "args": ["classes=1000"], "input": "3x224x224"}


def case(name, mode, net, batch, dtype, aim, samples, warmup=2, rounds=5):
    return {"name": name, "mode": mode, "net": net, "batch": batch, "dtype": dtype, "aim": aim, "samples": samples,
            "warmup": warmup, "rounds": rounds}


# `aim`: how many times as fast as the best rival the project wants to be (inference: as ONNX Runtime).
CASES = [
    case("ResNet-18, CIFAR stem, batch 128", "train", CIFAR, 128, "f32", 1.6, 5),
    case("ResNet-18, CIFAR stem, batch 128", "train", CIFAR, 128, "bf16", 1.3, 6),
    case("ResNet-18, 224 px, batch 16", "train", IMAGENET, 16, "f32", 1.5, 8),
    case("ResNet-18, 224 px, batch 16", "train", IMAGENET, 16, "bf16", 1.25, 8),
    case("ResNet-18, 224 px, batch 1", "infer", IMAGENET, 1, "f32", 1.1, 60, 10),
    case("ResNet-18, 224 px, batch 16", "infer", IMAGENET, 16, "f32", 1.1, 12, 3),
]
DEMO_VARIANTS = list(itertools.product(LAYOUTS, (1, 2)))        # and threads, beside two workers
DEMO_PICTURES, DEMO_SEEDS = 800, 3                              # of a class, as tools/demo.sh
LOADING = [
    {"name": "JPEG photos, 224-px crops", "mode": "load", "batch": 32, "dtype": "f32", "aim": 1.5, "batches": 64, "window": 8, "warmup": 16, "rounds": 5},
    {"name": "ResNet-18 on JPEG photos, 224-px crops", "mode": "load and train", "batch": 32, "dtype": "f32", "aim": 1.3, "batches": 10, "window": 2,
     "warmup": 3, "rounds": 5},
]
DECODERS = ("tensor", "pil_v2", "pil")
EXAMPLE_AIMS = {"whole_run": 2.0, "first_step": 0.2, "memory": 0.6}


# ---- step and inference times -------------------------------------------------------------------------------------------

def our_words(c, threads):
    words = ["bench", c["net"]["model"], c["mode"], f"batch_size={c['batch']}", f"input={c['net']['input']}", f"dtype={c['dtype']}",
             f"threads={threads}", f"steps={c['samples']}", f"warmup={c['warmup']}", *c["net"]["args"], "--json"]
    return words + (["optimizer=sgd"] if c["mode"] == "train" else [])


def torch_contestants(runner, c, variants):
    shared = ["--model", c["net"]["torch"], "--input", c["net"]["input"], "--batch", c["batch"], "--dtype", c["dtype"],
              "--threads", runner.threads, "--warmup", c["warmup"], "--iters", c["samples"], "--rounds", 1]
    for variant in variants:
        words = [*shared, "--mode", variant[0], "--memory-format", variant[1]]
        script = "torch_infer.py"
        if c["mode"] == "train":
            words += ["--optimizer-kernel", variant[2]]
            script = "torch_train_step.py"
        yield Contestant(f"pytorch {' '.join(variant)}", lambda script=script, words=words: runner.rival(script, *words))


def onnx_contestant(runner, c, folder):
    path = folder / f"{c['net']['torch']}_{c['net']['input']}.onnx"
    if not path.exists():
        # The exporter prints no JSON, so it is not a Runner's process.
        command = [runner.python, HERE / "rivals" / "export_onnx.py", "--model", c["net"]["torch"], "--input", c["net"]["input"], path]
        if os.spawnvp(os.P_WAIT, str(runner.python), [str(word) for word in command]) != 0:
            raise RuntimeError("the ONNX export failed")
    words = ["--onnx", path, "--input", c["net"]["input"], "--batch", c["batch"], "--threads", runner.threads, "--warmup", c["warmup"],
             "--iters", c["samples"], "--rounds", 1]
    return Contestant("onnxruntime", lambda: runner.rival("ort_infer.py", *words))


def measure_case(runner, c, variants, folder):
    ours = Contestant("fovea", lambda: runner.fovea(*our_words(c, runner.threads)))
    always, field = [], list(torch_contestants(runner, c, variants))
    if c["mode"] == "infer" and c["dtype"] == "f32":
        always.append(onnx_contestant(runner, c, folder))
    versions = {}
    result, rivals, dropped = alternate(ours, always, field, c["rounds"], runner.force)
    for contestant in [ours, *always, *field]:
        for key in ("torch", "onnxruntime", "cpu_capability", "libraries"):
            if key in contestant.report:
                versions[key] = contestant.report[key]
    operations = runner.fovea(*our_words(c, runner.threads), "--ops").json["ops"]
    return {"fovea": result, "rivals": rivals, "dropped": dropped, "versions": versions, "ops": operations,
            "gflop": round(sum(op["gflops"] * op["ms"] for op in operations) / 1e3, 3),
            "first_call_s": ours.report["first_call_s"], "session_mb": round(ours.report["session_bytes"] / 2**20, 1)}


# ---- loading ------------------------------------------------------------------------------------------------------------

def load_words(args, c):
    words = ["data", "bench", args.pictures, "image_size=224", f"batch_size={c['batch']}", f"batches={c['batches']}", f"window={c['window']}",
             f"warmup={c['warmup']}", "augment.random_resized_crop=1", "augment.horizontal_flip=0.5", "normalize.mean=0.485,0.456,0.406",
             "normalize.std=0.229,0.224,0.225", "data.split.val=0", "data.drop_last=true", f"threads={args.threads}", "--json", "--quiet"]
    if c["mode"] == "load":
        return [*words, "data.workers=2"]
    return [*words, "model=resnet18", "optimizer=sgd", "momentum=0.9", "learning_rate=1e-3", "weight_decay=0"]


def torch_loaders(runner, args, c):
    """Alone: two workers with every decoder. Beside training: the fastest decoder, one worker or two."""
    shared = ["--data", args.pictures, "--batch", c["batch"], "--batches", c["batches"], "--window", c["window"], "--warmup", c["warmup"],
              "--threads", runner.threads]
    if c["mode"] == "load":
        variants = {f"pytorch {d}": ["--decoder", d, "--workers", 2] for d in DECODERS}
    else:
        variants = {f"pytorch {layout} {w} workers": ["--decoder", DECODERS[0], "--workers", w, "--memory-format", layout, "--train"]
                    for layout in LAYOUTS for w in (1, 2)}
    for name, words in variants.items():
        yield Contestant(name, lambda words=words: runner.rival("torch_loader.py", *shared, *words), crowded=True)


def measure_loading(runner, args, c):
    ours = Contestant("fovea", lambda: runner.fovea(*load_words(args, c)), crowded=True)
    field = list(torch_loaders(runner, args, c))[:2 if args.tiny else None]
    result, rivals, dropped = alternate(ours, [], field, c["rounds"], runner.force)
    versions = {key: contestant.report[key] for contestant in field for key in ("torch", "cpu_capability") if key in (contestant.report or {})}
    return {"fovea": result, "rivals": rivals, "dropped": dropped, "versions": versions, "ops": [], "gflop": 0,
            "images_per_second": round(c["batch"] / result["median_ms"] * 1e3, 1)}


# ---- the small example --------------------------------------------------------------------------------------------------

def our_example(runner, args, folder, seed):
    words = ["train", HERE.parent / "configs" / "cifar10_resnet18.json", f"data={args.data}", f"seed={seed}", f"threads={runner.threads}",
             f"max_steps={args.steps}", f"run={folder / f'seed{seed}'}", "--json"]
    process = runner.fovea(*words, watch=rf"^\s*1/{args.steps}\b")
    metrics = process.json["metrics"]
    accuracy = next(value for name, value in metrics.items() if name in ("acc", "val_acc"))
    return {"seed": seed, "whole_run_s": process.wall_s, "first_step_s": process.watched_s, "accuracy": accuracy, "peak_rss_mb": process.rss_mb}


def torch_example(runner, args, seed, variant):
    words = ["--data", args.data, "--seed", seed, "--steps", args.steps, "--threads", runner.threads, "--mode", variant[0],
             "--memory-format", variant[1]]
    process = runner.rival("torch_small_example.py", *words)
    return {"seed": seed, "whole_run_s": process.wall_s, "first_step_s": process.json["start_to_first_step_end_s"],
            "accuracy": process.json["accuracy"], "peak_rss_mb": process.rss_mb}


def measure_example(runner, args, variants, seeds):
    """All variants with seed 0, then the best one and ours with every seed."""
    scouts = {variant: torch_example(runner, args, 0, variant) for variant in variants}
    for variant, row in scouts.items():
        say(f"    pytorch {' '.join(variant)}: {row['whole_run_s']:.2f} s")
    best = min(scouts, key=lambda variant: scouts[variant]["whole_run_s"])
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            ours.append(our_example(runner, args, pathlib.Path(folder), seed))
            theirs.append(torch_example(runner, args, seed, best))
            say(f"    seed {seed}: {ours[-1]['whole_run_s']:.2f} s, {ours[-1]['accuracy']:.4f}; "
                f"PyTorch {theirs[-1]['whole_run_s']:.2f} s, {theirs[-1]['accuracy']:.4f}")

    def middle(rows, key):
        values = [row[key] for row in rows if row[key] is not None]
        return round(statistics.median(values), 4) if values else None

    keys = ("whole_run_s", "first_step_s", "peak_rss_mb")
    return {"steps": args.steps, "variant": " ".join(best), "aims": EXAMPLE_AIMS,
            "scouts": {" ".join(variant): round(row["whole_run_s"], 3) for variant, row in scouts.items()},
            "fovea": {key: middle(ours, key) for key in keys}, "pytorch": {key: middle(theirs, key) for key in keys},
            "first_step_least_s": min(row["first_step_s"] for row in scouts.values()),
            "rss_least_mb": round(min(row["peak_rss_mb"] for row in scouts.values()), 1),
            "accuracies": {"fovea": [row["accuracy"] for row in ours], "pytorch": [row["accuracy"] for row in theirs]},
            "accuracy": mean_difference([row["accuracy"] for row in ours], [row["accuracy"] for row in theirs])}


# ---- ./dev demo ---------------------------------------------------------------------------------------------------------

def our_demo(runner, folder, seed, steps):
    run = folder / f"run{seed}"
    config = HERE.parent / "configs" / "demo.json"
    words = ["train", config, f"data={folder / 'planes'}", f"seed={seed}", f"threads={runner.threads}", f"run={run}", *steps, "--json"]
    train = runner.fovea(*words)
    test = runner.fovea("eval", run, "split=test", f"threads={runner.threads}", "--json")
    summary = json.loads((run / "summary.json").read_text())
    return {"seed": seed, "whole_s": train.wall_s + test.wall_s, "images_per_second": summary["images_per_second"],
            "accuracy": test.json["metrics"]["acc"], "peak_rss_mb": train.rss_mb}


def torch_demo(runner, folder, seed, settings, variant):
    words = ["--data", folder / "planes", "--settings", settings, "--seed", seed, "--workers", 2, "--memory-format", variant[0],
             "--threads", min(variant[1], runner.threads)]
    process = runner.rival("torch_demo.py", *words)
    return {"seed": seed, "whole_s": process.wall_s, "images_per_second": process.json["images_per_second"],
            "accuracy": process.json["accuracy"], "peak_rss_mb": process.rss_mb}


def measure_demo(runner, args):
    """Training and test on the pictures of ./dev demo: all variants with seed 0, then the best one and ours with every seed."""
    steps = ["epochs=1"] if args.tiny else []
    pictures = 40 if args.tiny else DEMO_PICTURES
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner.fovea("synth", "planes", "-o", folder / "planes", f"per_class={pictures}", "--json")
        ours, scouts = [our_demo(runner, folder, 0, steps)], {}
        settings = (folder / "run0" / "config.json").read_text()
        for variant in DEMO_VARIANTS[:1] if args.tiny else DEMO_VARIANTS:
            scouts[variant] = torch_demo(runner, folder, 0, settings, variant)
            say(f"    pytorch {variant[0]}, {variant[1]} threads: {scouts[variant]['whole_s']:.2f} s")
        best = min(scouts, key=lambda variant: scouts[variant]["whole_s"])
        theirs = [scouts[best]]
        for seed in range(1, 2 if args.tiny else DEMO_SEEDS):
            ours.append(our_demo(runner, folder, seed, steps))
            theirs.append(torch_demo(runner, folder, seed, settings, best))
        for one, other in zip(ours, theirs):
            say(f"    seed {one['seed']}: {one['whole_s']:.2f} s, {one['accuracy']:.4f}; PyTorch {other['whole_s']:.2f} s, {other['accuracy']:.4f}")
    keys = ("whole_s", "images_per_second", "peak_rss_mb", "accuracy")
    return {"pictures": pictures, "variant": f"eager {best[0]}, {best[1]} threads, 2 workers",
            "scouts": {f"{layout}, {threads} threads": round(row["whole_s"], 3) for (layout, threads), row in scouts.items()},
            **{side: {key: [row[key] for row in rows] for key in keys} for side, rows in (("fovea", ours), ("pytorch", theirs))}}


# ---- all of it ----------------------------------------------------------------------------------------------------------

def guarded(name, failures, work):
    """work(), or what made it worthless every time."""
    say(f"{name}")
    for _ in range(ATTEMPTS):
        try:
            return work()
        except Disturbed as reason:
            say(f"  REFUSED: {reason}")
            refused = str(reason)
    failures.append(name)
    return {"refused": refused}


def measure_all(args):
    runner = Runner(args.fovea, args.python, args.threads, args.force)
    failures = []
    out = {"date": datetime.date.today().isoformat(), "threads": args.threads, "priority": " ".join(runner.priority), "forced": args.force, "tiny": args.tiny,
           "kernel": platform.release(), "load_at_start": os.getloadavg()[0], "fovea": Process([args.fovea, "info", "--json"], runner.environment).json, "cases": []}
    if args.ceilings:
        out["ceilings"] = runner.alone("ceilings", [args.ceilings, args.threads]).json
    with tempfile.TemporaryDirectory() as folder:
        for c in CASES:
            name = f"{c['mode']}, {c['name']}, {c['dtype']}"
            if args.only and not any(word in name for word in args.only):
                continue
            variants = TRAIN_VARIANTS if c["mode"] == "train" else INFER_VARIANTS
            if args.tiny:
                c = {**c, "net": {**c["net"], "input": "3x32x32"}, "batch": 2, "samples": 3, "warmup": 1, "rounds": 2}
                variants = variants[:2]
            result = guarded(name, failures, lambda: measure_case(runner, c, variants, pathlib.Path(folder)))
            out["cases"].append({**{key: c[key] for key in ("name", "mode", "batch", "dtype", "aim")}, "input": c["net"]["input"], **result})
    for c in LOADING if args.pictures else []:
        name = f"{c['mode']}, {c['name']}, {c['dtype']}"
        if args.only and not any(word in name for word in args.only):
            continue
        if args.tiny:
            c = {**c, "batch": 4, "batches": 4, "window": 2, "warmup": 1, "rounds": 2}
        result = guarded(name, failures, lambda c=c: measure_loading(runner, args, c))
        out["cases"].append({**{key: c[key] for key in ("name", "mode", "batch", "dtype", "aim")}, "input": "3x224x224", **result})
    if args.data and (not args.only or any(word in "small example" for word in args.only)):
        variants, seeds = (EXAMPLE_VARIANTS[:1], 2) if args.tiny else (EXAMPLE_VARIANTS, args.seeds)
        out["example"] = guarded("small example", failures, lambda: measure_example(runner, args, variants, seeds))
    if args.demo and (not args.only or "demo" in args.only):
        out["demo"] = guarded("demo", failures, lambda: measure_demo(runner, args))
    return out, failures


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fovea", required=True, type=pathlib.Path, help="our program")
    parser.add_argument("--python", required=True, type=pathlib.Path, help="Python of the rivals' environment")
    parser.add_argument("--data", type=pathlib.Path, help="CIFAR-10 binary batches")
    parser.add_argument("--demo", action="store_true", help="also the training of ./dev demo")
    parser.add_argument("--pictures", type=pathlib.Path, help="class folders of JPEG photos")
    parser.add_argument("--ceilings", type=pathlib.Path, help="the program bench_ceilings")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, help="of the small example (default 500)")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="cases whose line holds one of the words: train, infer, bf16, 224, ...")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--force", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--tiny", action="store_true", help="test these scripts")
    args = parser.parse_args()
    args.steps = args.steps or (6 if args.tiny else 500)
    args.fovea, args.python = args.fovea.absolute(), args.python.absolute()
    args.data = args.data and args.data.absolute()
    args.pictures = args.pictures and args.pictures.absolute()
    return args


def merge(out, earlier):
    """What was not measured now, or was refused now, stays as it was measured earlier this day."""
    def key(c):
        return c["mode"], c["name"], c["dtype"]

    good = {key(c): c for c in earlier["cases"] if "refused" not in c}
    out["cases"] = [good.pop(key(c), c) if "refused" in c else c for c in out["cases"]]
    measured = {key(c) for c in out["cases"]}
    out["cases"] += [c for k, c in good.items() if k not in measured]
    order = [key(c) for c in [*CASES, *LOADING]]
    out["cases"].sort(key=lambda c: order.index(key(c)))
    for group in ("gflops", "gb_per_s"):             # a ceiling is the highest that was seen
        for name, rate in earlier.get("ceilings", {}).get(group, {}).items():
            here = out.setdefault("ceilings", earlier["ceilings"])[group]
            here[name] = max(rate, here.get(name, 0))
    for word in ("example", "demo"):
        if word in earlier and "refused" in out.get(word, {"refused": ""}):
            out[word] = earlier[word]


def main():
    args = arguments()
    if os.getloadavg()[0] > MOST_LOAD and not args.force:
        say(f"load average {os.getloadavg()[0]:.2f}: the machine is busy; wait, or --force")
        return 1
    out, failures = measure_all(args)
    args.out.mkdir(parents=True, exist_ok=True)
    cpu = re.sub(r"[^a-z0-9]+", "-", out["fovea"]["cpu"].lower()).strip("-")
    path = args.out / f"{out['date']}-{cpu}.json"
    if path.exists() and not args.tiny:
        merge(out, json.loads(path.read_text()))
    path.write_text(json.dumps(out, indent=1) + "\n")
    say(f"written: {path}")
    print(table.tables(out))
    for name in failures:
        say(f"refused: {name}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
