# SPDX-License-Identifier: Apache-2.0
"""Judges ONNX files that fovea wrote with onnx's checker and ONNX Runtime.

    python tools/onnx_check.py FOLDER [TOLERANCE]

FOLDER/NAME.onnx is checked in full (checker and strict shape inference). FOLDER/NAME.safetensors beside it, if there, holds
numbers of fovea's: tensors "BATCH/in/INPUT" and "BATCH/out/OUTPUT"; ONNX Runtime must give the same for each batch size
within TOLERANCE (1e-4), absolute plus relative. Needs numpy, onnx and onnxruntime. tests/engine/test_onnx.c runs it where
FOVEA_PEERS names a Python that has them.
"""
import json
import pathlib
import struct
import sys

import numpy as np
import onnx
import onnxruntime

TYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "I32": np.int32, "U8": np.uint8, "BOOL": np.bool_}


def read_safetensors(path):
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    data = raw[8 + length :]
    return {
        name: np.frombuffer(data[slice(*e["data_offsets"])], TYPES[e["dtype"]]).reshape(e["shape"]) for name, e in header.items()
    }


def names(values):
    return [v.name for v in values]


def check_structure(path):
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    made = [o for n in model.graph.node for o in n.output if o]
    taken = made + names(model.graph.input) + names(model.graph.initializer)
    if len(set(taken)) != len(taken):
        raise ValueError("a tensor's name is used twice")
    for value in list(model.graph.input) + list(model.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if not dim.dim_value and not dim.dim_param.endswith("batch_size"):
                raise ValueError(f"{value.name}: a dimension is neither known nor the batch size")
    return model


def check_numbers(path, model, tolerance):
    """The largest error and how many batch sizes there were."""
    tensors = read_safetensors(path.with_suffix(".safetensors"))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    worst = 0.0
    batches = sorted({name.split("/")[0] for name in tensors})
    for batch in batches:
        feed = {name.split("/", 2)[2]: value for name, value in tensors.items() if name.startswith(batch + "/in/")}
        feed = {name: value.astype(np.float32) if value.dtype == np.float64 else value for name, value in feed.items()}
        outputs = names(model.graph.output)
        for name, got in zip(outputs, session.run(outputs, feed)):
            want = tensors[f"{batch}/out/{name}"]
            if got.shape != want.shape:
                raise ValueError(f"batch {batch}: {name} has shape {got.shape}, fovea's {want.shape}")
            want = want.astype(np.float64)
            error = np.abs(got.astype(np.float64) - want) / (1 + np.abs(want))
            error = np.where(np.isnan(want) & np.isnan(got.astype(np.float64)), 0, error)
            worst = max(worst, float(error.max(initial=0)))
            if not np.all(error <= tolerance):
                raise ValueError(f"batch {batch}: {name} differs by {np.nanmax(error):.3g} (absolute + relative)")
    return worst, len(batches)


def main(folder, tolerance="1e-4"):
    paths = sorted(pathlib.Path(folder).glob("*.onnx"))
    failed, worst, compared = 0, 0.0, 0
    for path in paths:
        try:
            model = check_structure(path)
            if path.with_suffix(".safetensors").exists():
                error, batches = check_numbers(path, model, float(tolerance))
                worst, compared = max(worst, error), compared + batches
        except Exception as e:  # every kind of failure of the two libraries is a failure of the file
            failed += 1
            print(f"{path.name}: {str(e).strip()}")
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}: {len(paths)} files, {failed} failed, "
          f"{compared} runs compared, largest error {worst:.2g}")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
