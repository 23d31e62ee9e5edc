# SPDX-License-Identifier: Apache-2.0
"""Time of one inference call in ONNX Runtime's CPU provider. One JSON line."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import measure

memory = measure.PeakMemory()

import numpy  # noqa: E402
import onnxruntime  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=["resnet18", "resnet18_cifar"], default="resnet18")
    parser.add_argument("--input", default="3x224x224", metavar="CxHxW")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--onnx", help="an exported model; without it one is exported to a temporary file")
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--iters", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def export(model, shape, path):
    script = pathlib.Path(__file__).with_name("export_onnx.py")
    subprocess.run([sys.executable, script, "--model", model, "--input", shape, path],
                   check=True, stdout=sys.stderr)


def open_session(path, threads):
    """A session whose threads sit on one core each when OMP_PROC_BIND asks for pinning.

    ONNX Runtime's own pool does not read the OMP variables, so the same is said in its terms.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    cores = sorted(os.sched_getaffinity(0))
    pinned = bool(os.environ.get("OMP_PROC_BIND")) and threads <= len(cores)
    if pinned and threads > 1:  # the caller is the first thread; ONNX Runtime counts cores from 1
        others = ";".join(str(core + 1) for core in cores[1:threads])
        options.add_session_config_entry("session.intra_op_thread_affinities", others)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    if pinned:
        os.sched_setaffinity(0, {cores[0]})
    return session, pinned


def main():
    args = arguments()
    imported_kb = memory.current()
    with tempfile.TemporaryDirectory() as folder:
        path = args.onnx
        if path is None:
            path = os.path.join(folder, "model.onnx")
            export(args.model, args.input, path)
        session, pinned = open_session(path, args.threads)
    shape = [args.batch] + [int(part) for part in args.input.split("x")]
    images = numpy.random.default_rng(0).standard_normal(shape, dtype=numpy.float32)

    def infer():
        session.run(None, {"input": images})

    timing = measure.time_rounds(infer, args.warmup, args.iters, args.rounds, memory)
    if args.onnx is None:  # the export is no part of ONNX Runtime's start-up
        del timing["start_to_first_call_end_s"]
    measure.emit({
        "rival": "ort_infer", "model": args.model, "input": shape[1:], "batch": args.batch,
        "dtype": "f32", "threads": args.threads, "mode": "ort", "pinned": pinned,
        "onnxruntime": onnxruntime.__version__, "imported_rss_kb": imported_kb, **timing,
    })


if __name__ == "__main__":
    main()
