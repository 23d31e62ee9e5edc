#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/ops_c.safetensors: whole numbers, comparisons and logic, broadcast products, indexing, sorting, resizing and
what detection needs, as PyTorch computes them in float64. Format: tensors <case>.in<i>, .out<k>, .dout<k>, .din<i>; metadata
<case> -> JSON {"op", "attrs", "n_in", "n_out", "grad": inputs that have a .din}. Integer outputs have no .dout.
Run with a Python that has torch and safetensors: tools/golden/ops_c.py"""
import json
import os

import torch
from safetensors.torch import save_file

torch.manual_seed(23)
torch.set_default_dtype(torch.float64)
NAN, INF = float("nan"), float("inf")
tensors, cases = {}, {}


def case(name, op, attrs, inputs, f, grad=()):
    """f(*inputs) gives the output or a tuple of them; grad lists the inputs whose gradient is kept."""
    assert name not in cases, name
    x = [t.clone().requires_grad_(i in grad) for i, t in enumerate(inputs)]
    y = f(*x)
    y = y if isinstance(y, tuple) else (y,)
    for i, t in enumerate(x):
        tensors[f"{name}.in{i}"] = t.detach().clone().contiguous()
    for k, t in enumerate(y):
        tensors[f"{name}.out{k}"] = t.detach().clone().contiguous()
    if grad:
        seeds = {k: torch.randn(t.shape) for k, t in enumerate(y) if t.is_floating_point()}
        for k, t in seeds.items():
            tensors[f"{name}.dout{k}"] = t
        used = [k for k in seeds if y[k].requires_grad]
        for i, t in zip(grad, torch.autograd.grad([y[k] for k in used], [x[i] for i in grad], [seeds[k] for k in used])):
            tensors[f"{name}.din{i}"] = t.detach().clone().contiguous()
    cases[name] = json.dumps({"op": op, "attrs": attrs, "n_in": len(x), "n_out": len(y), "grad": list(grad)})


def randn(*shape):
    return torch.randn(shape)


def whole(*shape, most=9):
    return torch.randint(-most, most + 1, shape)


def flag(b):
    return "true" if b else "false"


# ---- whole numbers ----
big = torch.tensor([2**62, -(2**62), 2**63 - 1, -(2**63)])
for op, f in {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "maximum": torch.maximum, "minimum": torch.minimum}.items():
    case(f"{op}_whole", op, "", [whole(2, 3, 4), whole(3, 1)], f)
    case(f"{op}_wrap", op, "", [big[:, None], big], f)
divisors = torch.tensor([1, 2, -3, 7, -5])
for op, f in {"floor_div": torch.floor_divide, "mod": torch.remainder}.items():
    case(op, op, "", [whole(4, 5, most=20), divisors], f)
case("floor_div_wrap", "floor_div", "", [big, torch.tensor([-1, 3, -2, 5])], torch.floor_divide)
for op, f in {"neg": torch.neg, "abs": torch.abs, "sign": torch.sign}.items():
    case(f"{op}_whole", op, "", [whole(3, 4)], f)
case("sum_whole", "sum", "axes=2", [whole(3, 4)], lambda x: x.sum(1))
case("amax_whole", "amax", "axes=1 keep=true", [whole(3, 4)], lambda x: x.amax(0, True))
case("amin_whole", "amin", "axes=2", [whole(3, 4)], lambda x: x.amin(1))

# ---- comparisons, logic: 0 and 1 in the type of the first ----
special = torch.tensor([1.0, 2.0, -3.0, NAN, 1.0, INF, -INF, 0.0]), torch.tensor([1.0, -2.0, 4.0, 1.0, NAN, INF, INF, -0.0])
for op, f in {"less": torch.lt, "less_equal": torch.le, "greater": torch.gt, "greater_equal": torch.ge, "equal": torch.eq,
              "not_equal": torch.ne, "logical_and": torch.logical_and, "logical_or": torch.logical_or,
              "logical_xor": torch.logical_xor}.items():
    case(f"{op}_special", op, "", special, lambda a, b: f(a, b).double())
    case(f"{op}_whole", op, "", [whole(3, 4, most=1), whole(4, most=1)], lambda a, b: f(a, b).long())
case("logical_not", "logical_not", "", [special[0]], lambda a: torch.logical_not(a).double())
case("select_whole", "select", "", [whole(3, 1, most=1), whole(3, 4), whole(4)], lambda c, a, b: torch.where(c != 0, a, b))

# ---- elementwise ----
x = torch.cat([randn(3, 5) * 3, torch.tensor([[0.5, -0.5, 1.5, 2.5, -0.0]])])
for op, f in {"floor": torch.floor, "ceil": torch.ceil, "round": torch.round}.items():
    case(op, op, "", [x], f)
for op, f in {"erf": torch.erf, "atan": torch.atan, "softplus": lambda x: torch.nn.functional.softplus(x, 1, 1000)}.items():
    case(op, op, "", [x], f, (0,))
    case(f"{op}_special", op, "", [torch.tensor([0.0, INF, -INF, NAN, -700.0, 700.0])], f)

# ---- reductions ----
for name, axes, keep in (("all", (), False), ("rows", (3,), True), ("image", (2, 3), False)):
    dims = axes or (0, 1, 2, 3)
    attrs = f"axes={sum(1 << a for a in axes)} keep={flag(keep)}"
    case(f"amin_{name}", "amin", attrs, [torch.randint(0, 4, (2, 3, 4, 2)).double()], lambda x: x.amin(dims, keep), (0,))
case("argmin", "argmin", "", [randn(4, 7)], lambda x: x.argmin(-1))
case("argmin_channel", "argmin", "axis=1", [randn(2, 5, 3, 2)], lambda x: x.argmin(1))
case("argmin_nan", "argmin", "axis=0", [torch.tensor([[1.0, 2.0, NAN], [1.0, NAN, 0.0]])], lambda x: torch.tensor([0, 1, 0]))

# ---- products whose leading axes broadcast ----
for ta in (False, True):
    for tb in (False, True):
        def product(a, b):
            return torch.matmul(a.transpose(-1, -2) if ta else a, b.transpose(-1, -2) if tb else b)
        attrs, name = f"transpose_a={flag(ta)} transpose_b={flag(tb)}", f"matmul_{'nt'[ta]}{'nt'[tb]}"
        a, b = ((4, 3) if ta else (3, 4)), ((5, 4) if tb else (4, 5))
        for kind, la, lb in (("first", (), (2,)), ("one", (1,), (3,)), ("one_b", (3, 2), (1, 1)), ("heads", (2, 1), (3,)),
                             ("crossed", (2, 1, 3), (4, 1)), ("longer", (3,), (2, 3)), ("middle", (2, 1, 3), (2, 4, 3))):
            case(f"{name}_{kind}", "matmul", attrs, [randn(*la, *a), randn(*lb, *b)], product, (0, 1))

# ---- moving elements ----
case("flip", "flip", "axes=5", [randn(2, 3, 4)], lambda x: x.flip(0, 2), (0,))
case("pad_whole", "pad", "before=0,1 after=0,2 value=-100", [whole(3, 2)], lambda x: torch.nn.functional.pad(x, (1, 2), value=-100))
case("broadcast_whole", "broadcast_to", "dims=2,3,4", [whole(3, 1)], lambda x: x.broadcast_to(2, 3, 4))
case("arange", "arange", "start=0.5 step=0.25 count=7 dtype=f64", [], lambda: torch.arange(7) * 0.25 + 0.5)
case("arange_whole", "arange", "start=3 step=-2 count=5", [], lambda: torch.arange(3, -7, -2))

# ---- indexing ----
rows, repeated = torch.tensor([3, 0, 3]), torch.tensor([4, 1, 1, 0, 4, 4])
case("gather_rows", "gather", "axis=0", [randn(4, 3), rows], lambda x, i: x[i], (0,))
case("gather_table", "gather", "axis=0", [randn(5, 2), torch.randint(0, 5, (2, 3))], lambda x, i: x[i], (0,))
case("gather_channels", "gather", "axis=1", [randn(2, 5, 3), repeated], lambda x, i: x.index_select(1, i), (0,))
case("gather_last", "gather", "axis=-1", [whole(2, 5), repeated], lambda x, i: x.index_select(1, i))
case("index_add", "index_add", "axis=1", [randn(2, 5, 3), repeated, randn(2, 6, 3)], lambda x, i, s: x.index_add(1, i, s), (0, 2))
case("index_add_whole", "index_add", "axis=0", [whole(5, 2), repeated, whole(6, 2)], lambda x, i, s: x.index_add(0, i, s))
for name, x, shape, axis in (("last", randn(3, 5), (3, 7), 1), ("middle", randn(2, 4, 3), (2, 6, 3), 1), ("first", randn(4, 3), (2, 3), 0)):
    index = torch.randint(0, x.shape[axis], shape)
    case(f"take_along_{name}", "take_along", f"axis={axis}", [x, index], lambda x, i: x.gather(axis, i), (0,))
    case(f"scatter_add_{name}", "scatter_add", f"axis={axis}", [x, index, randn(*shape)], lambda x, i, s: x.scatter_add(axis, i, s), (0, 2))

# ---- order; of equals torch.sort(stable=True) keeps the first first ----
ties = torch.randint(0, 4, (3, 9)).double()
for largest in (True, False):
    def first(k, axis):
        def f(x):
            values, places = torch.sort(x, dim=axis, descending=largest, stable=True)
            return values.narrow(axis, 0, k), places.narrow(axis, 0, k)
        return f
    attrs = f"largest={flag(largest)}"
    case(f"top_k_{attrs}", "top_k", f"k=3 {attrs}", [randn(4, 8)], lambda x: torch.topk(x, 3, largest=largest), (0,))
    case(f"top_k_{attrs}_axis", "top_k", f"k=2 axis=1 {attrs}", [randn(2, 5, 3)], lambda x: torch.topk(x, 2, 1, largest), (0,))
    case(f"top_k_{attrs}_ties", "top_k", f"k=5 {attrs}", [ties], first(5, -1), (0,))
    case(f"top_k_{attrs}_whole", "top_k", f"k=4 {attrs}", [whole(3, 9, most=2)], first(4, -1))
    case(f"top_k_{attrs}_special", "top_k", f"k=8 {attrs}", [special[0]], first(8, -1))
    attrs = f"descending={flag(largest)}"
    case(f"sort_{attrs}", "sort", attrs, [randn(4, 8)], first(8, -1), (0,))
    case(f"sort_{attrs}_axis", "sort", f"axis=0 {attrs}", [ties], first(3, 0), (0,))
for exclusive in (False, True):
    for reverse in (False, True):
        def running(x):
            y = x.flip(1) if reverse else x
            z = y.cumsum(1) - (y if exclusive else 0)
            return z.flip(1) if reverse else z
        attrs = f"axis=1 exclusive={flag(exclusive)} reverse={flag(reverse)}"
        case(f"cumsum_{flag(exclusive)}_{flag(reverse)}", "cumsum", attrs, [randn(2, 5, 3)], running, (0,))
        case(f"cumsum_{flag(exclusive)}_{flag(reverse)}_whole", "cumsum", attrs, [whole(2, 5)], running)

# ---- resizing ----
sizes = [((3, 4), (6, 8)), ((5, 7), (3, 11)), ((4, 4), (4, 4)), ((1, 6), (5, 1)), ((9, 3), (2, 2)), ((2, 3), (13, 7))]
for (h, w), (oh, ow) in sizes:
    for mode in ("nearest", "bilinear", "bicubic"):
        for corners in ((False,) if mode == "nearest" else (False, True)):
            attrs = f"mode={mode} size={oh},{ow} align_corners={flag(corners)}"
            case(f"resize_{mode}_{flag(corners)}_{h}x{w}_{oh}x{ow}", "resize", attrs, [randn(1, 2, h, w)],
                 lambda x: torch.nn.functional.interpolate(x, (oh, ow), mode=mode, align_corners=None if mode == "nearest" else corners), (0,))
for mode in ("nearest", "bilinear", "bicubic"):
    for (h, w), (a, b) in (((5, 4), (1.5, 1.7)), ((7, 9), (0.6, 0.45))):
        attrs = f"mode={mode} size={int(h * a)},{int(w * b)} scale={a},{b}"
        case(f"resize_{mode}_scale_{h}x{w}", "resize", attrs, [randn(1, 2, h, w)],
             lambda x: torch.nn.functional.interpolate(x, scale_factor=(a, b), mode=mode), (0,))
# Nearest rounds in f32: one row for each pair of lengths where that could tell.
for n in (3, 7, 10, 49, 100, 333):
    for m in (1, 5, 11, 30, 64, 127):
        case(f"resize_nearest_{n}_{m}", "resize", f"size=1,{m}", [torch.arange(n).double().reshape(1, 1, 1, n)],
             lambda x: torch.nn.functional.interpolate(x, (1, m)))

# ---- transposed convolution: name, x, w, bias, stride, padding, dilation, groups, output_padding ----
pair = "{0[0]},{0[1]}".format
for name, x, w, bias, stride, padding, dilation, groups, extra in (
        ("twice", (2, 3, 3, 4), (3, 2, 4, 4), True, (2, 2), (1, 1), (1, 1), 1, (0, 0)),
        ("odd", (1, 2, 3, 2), (2, 3, 3, 3), False, (2, 3), (1, 0), (1, 1), 1, (1, 2)),
        ("grouped", (1, 4, 3, 3), (4, 3, 2, 3), True, (1, 2), (0, 1), (2, 1), 2, (0, 1))):
    attrs = (f"stride={pair(stride)} padding={pair(padding)} dilation={pair(dilation)} groups={groups} "
             f"output_padding={pair(extra)}")
    inputs = [randn(*x), randn(*w)] + ([randn(w[1] * groups)] if bias else [])
    case(f"conv_transpose2d_{name}", "conv_transpose2d", attrs, inputs,
         lambda x, w, b=None: torch.nn.functional.conv_transpose2d(x, w, b, stride, padding, extra, groups, dilation), range(len(inputs)))

path = os.path.join(os.path.dirname(__file__), "..", "..", "tests", "golden", "ops_c.safetensors")
save_file(tensors, path, metadata=cases)
print(f"{len(cases)} cases, {os.path.getsize(path)} bytes, torch {torch.__version__}")
