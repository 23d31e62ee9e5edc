#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts the tables of a result of bench/run.py between the markers of bench/README.md and README.md.

    bench/table.py [RESULT.json]     without an argument: the newest in bench/results
    bench/table.py --check           exit code 1 when the pages do not show the newest result
"""

import json
import pathlib
import statistics
import sys

HERE = pathlib.Path(__file__).resolve().parent
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def best(c):
    """The fastest rival of each engine, by its first word."""
    engines = {}
    for rival in c["rivals"]:
        engine = rival["name"].split()[0]
        if engine not in engines or rival["ratio"] < engines[engine]["ratio"]:
            engines[engine] = rival
    return engines


def ceiling_of(out, dtype):
    """GF/s that the machine can do at most in this type."""
    rates = out.get("ceilings", {}).get("gflops", {})
    f32 = max((rates[isa] for isa in ("base", "avx2", "avx512") if isa in rates), default=None)
    return rates.get("bf16", f32) if dtype == "bf16" else f32


def range_of(result):
    low, high = min(result["round_medians_ms"]), max(result["round_medians_ms"])
    return f"{result['median_ms']:.4g} ({low:.4g} to {high:.4g})"


def ratio_of(rival):
    low, high = rival["ratio_quartiles"]
    return f"{rival['ratio']:.2f} ({low:.2f} to {high:.2f})"


def case_rows(out):
    for c in out["cases"]:
        head = f"| {c['mode']} | {c['name']}{'' if not out['tiny'] else ' (tiny)'} | {c['dtype']} "
        if "refused" in c:
            yield head + f"| refused: {c['refused']} | | | | | |"
            continue
        ours, top = c["fovea"], ceiling_of(out, c["dtype"])
        share = f"{100 * c['gflop'] / (ours['median_ms'] / 1e3) / top:.0f} %" if top and c["gflop"] else ""
        least_rss = min(r["peak_rss_mb"] for r in [*c["rivals"], *c["dropped"]])
        for engine, rival in best(c).items():
            wanted = "" if c["mode"] == "infer" and engine == "pytorch" else f"{c['aim']:g}"
            yield (head + f"| {range_of(ours)} | {rival['name']}: {range_of(rival)} | {ratio_of(rival)} | {wanted} | {share} "
                   f"| {ours['peak_rss_mb']:.0f} / {least_rss:.0f} = {ours['peak_rss_mb'] / least_rss:.2f} |")


def step_table(out):
    if not out["cases"]:
        return []
    return ["| | work | type | Fovea, ms: median (rounds) | best rival, ms | times as fast: median of neighbours in time (quartiles) | aim | share of the ceiling | peak memory, MB: ours / least rival |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |", *case_rows(out)]


def example_table(out):
    e = out.get("example")
    if not e:
        return []
    if "refused" in e:
        return ["", f"Small example: refused: {e['refused']}"]
    ours, theirs, aims, accuracy = e["fovea"], e["pytorch"], e["aims"], e["accuracy"]
    counts = {name: len(values) for name, values in e["accuracies"].items()}
    means = {name: sum(values) / len(values) for name, values in e["accuracies"].items()}
    rows = ["", f"The small example (`configs/cifar10_resnet18.json`, {e['steps']} steps), medians of {counts['fovea']} seeds; PyTorch: {e['variant']}.", "",
            "| | Fovea | PyTorch | ratio | aim |", "| --- | --- | --- | --- | --- |",
            f"| whole run, s | {ours['whole_run_s']:.2f} | {theirs['whole_run_s']:.2f} | {theirs['whole_run_s'] / ours['whole_run_s']:.2f} times as fast | {aims['whole_run']:g} |"]
    if ours["first_step_s"]:
        rows.append(f"| start to end of the first step, s | {ours['first_step_s']:.3f} | {e['first_step_least_s']:.3f} | "
                    f"{ours['first_step_s'] / e['first_step_least_s']:.2f} | at most {aims['first_step']:g} |")
    rows.append(f"| peak memory, MB | {ours['peak_rss_mb']:.0f} | {e['rss_least_mb']:.0f} | {ours['peak_rss_mb'] / e['rss_least_mb']:.2f} | at most {aims['memory']:g} |")
    interval = "" if accuracy["low"] is None else f", 95 % interval {accuracy['low']:+.4f} to {accuracy['high']:+.4f}"
    rows.append(f"| accuracy, mean | {means['fovea']:.4f} | {means['pytorch']:.4f} | difference {accuracy['difference']:+.4f}{interval} | holds 0; of more seeds: docs/parity.md |")
    return rows


def demo_table(out):
    d = out.get("demo")
    if not d:
        return []
    if "refused" in d:
        return ["", f"./dev demo: refused: {d['refused']}"]
    ours, theirs = ({key: statistics.median(values) for key, values in d[side].items()} for side in ("fovea", "pytorch"))
    return ["", f"The training of `./dev demo` (`configs/demo.json`, {d['pictures']} pictures of each class), from start to test accuracy; medians of "
            f"{len(d['fovea']['whole_s'])} seeds; PyTorch: {d['variant']}.", "", "| | Fovea | PyTorch | ratio |", "| --- | --- | --- | --- |",
            f"| training and test, s | {ours['whole_s']:.1f} | {theirs['whole_s']:.1f} | {theirs['whole_s'] / ours['whole_s']:.2f} times as fast |",
            f"| images/s while training | {ours['images_per_second']:.0f} | {theirs['images_per_second']:.0f} | {ours['images_per_second'] / theirs['images_per_second']:.2f} |",
            f"| peak memory, MB (PyTorch: without its workers) | {ours['peak_rss_mb']:.0f} | {theirs['peak_rss_mb']:.0f} | {ours['peak_rss_mb'] / theirs['peak_rss_mb']:.2f} |",
            f"| test accuracy | {ours['accuracy']:.4f} | {theirs['accuracy']:.4f} | {ours['accuracy'] - theirs['accuracy']:+.4f} |"]


def share_table(out, most=8):
    rows = []
    for c in out["cases"]:
        if "refused" in c or not c["ops"]:
            continue
        by_op = {}
        for op in c["ops"]:
            entry = by_op.setdefault(op["op"], {"ms": 0.0, "share": 0.0, "mflop": 0.0, "mb": 0.0})
            entry["ms"] += op["ms"]
            entry["share"] += op["share"]
            entry["mflop"] += op["gflops"] * op["ms"]
            entry["mb"] += op["gb_per_s"] * op["ms"]
        top = ceiling_of(out, c["dtype"])
        rows += ["", f"{c['mode']}, {c['name']}, {c['dtype']}:", "", "| operation | ms | share of the step | GFLOP/s | of the ceiling | GB/s |",
                 "| --- | --- | --- | --- | --- | --- |"]
        for name, e in sorted(by_op.items(), key=lambda item: -item[1]["ms"])[:most]:
            rate, traffic = (e["mflop"] / e["ms"], e["mb"] / e["ms"]) if e["ms"] else (0.0, 0.0)
            computed = f"{rate:.0f} | {100 * rate / top:.0f} %" if top and rate >= 1 else " | "
            rows.append(f"| {name} | {e['ms']:.3g} | {100 * e['share']:.1f} % | {computed} | {traffic:.0f} |")
    return rows


def machine_lines(out):
    info, versions = out["fovea"], {}
    for c in out["cases"]:
        versions.update(c.get("versions", {}))
    rivals = ", ".join(f"{label} {versions[key]}" for key, label in (("torch", "PyTorch"), ("onnxruntime", "ONNX Runtime")) if key in versions)
    lines = [f"{info['cpu']}, {out['threads']} threads, {', '.join(filter(None, (info['libraries'], rivals)))}; {out['date']}."]
    ceilings = out.get("ceilings")
    if ceilings:
        flops = ", ".join(f"{isa} {rate:.0f}" for isa, rate in ceilings["gflops"].items())
        memory = ceilings["gb_per_s"]
        lines.append(f"Ceilings: multiply-adds, GFLOP/s: {flops}; triad, GB/s: memory {memory['memory']:.0f} ({memory['memory_streamed']:.0f} with streaming "
                     f"stores), cache {memory['cache']:.0f}.")
    if out["forced"]:
        lines.append("**Measured with --force on a busy machine: these numbers say nothing.**")
    return [*lines, ""]


def tables(out, short=False):
    lines = [*machine_lines(out), *step_table(out), *example_table(out), *demo_table(out)]
    shares = [] if short else share_table(out)
    if shares:
        lines += ["", "Where the time goes (profiled call by call; a share above 100 % is Winograd, whose operations are counted as the direct algorithm's; "
                  "GB/s: operands read and written once):", *shares]
    return "\n".join(lines)


def replaced(path, text):
    page = path.read_text()
    before, rest = page.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}"


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    results = sorted((HERE / "results").glob("*.json"))
    if not words and not results:
        print("no result in bench/results yet", file=sys.stderr)
        return 0
    out = json.loads(pathlib.Path(words[0] if words else results[-1]).read_text())
    stale = 0
    for path, short in ((HERE / "README.md", False), (HERE.parent / "README.md", True)):
        page = replaced(path, tables(out, short))
        if page != path.read_text():
            stale = 1
            if "--check" not in sys.argv:
                path.write_text(page)
    return stale if "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
