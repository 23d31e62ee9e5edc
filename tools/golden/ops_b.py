#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/ops_b.safetensors: arithmetic, reductions, shapes and optimizer updates as PyTorch computes them in
float64. Format: tensors <case>.in<i>, .out<k>, .dout<k>, .din<i>; metadata <case> -> JSON {"op", "attrs", "n_in", "n_out",
"grad": inputs that have a .din}. Run with a Python that has torch and safetensors: tools/golden/ops_b.py"""
import json
import os

import torch
from safetensors.torch import save_file

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
NAN, INF = float("nan"), float("inf")
tensors, cases = {}, {}


def case(name, op, attrs, inputs, f, grad=()):
    """f(*inputs) gives the output or a tuple of them; grad lists the inputs whose gradient is kept."""
    x = [t.clone().requires_grad_(i in grad) for i, t in enumerate(inputs)]
    y = f(*x)
    y = y if isinstance(y, tuple) else (y,)
    for i, t in enumerate(x):
        tensors[f"{name}.in{i}"] = t.detach().clone().contiguous()
    for k, t in enumerate(y):
        tensors[f"{name}.out{k}"] = t.detach().clone().contiguous()
    if grad:
        seeds = [torch.randn(t.shape) for t in y]
        for k, t in enumerate(seeds):
            tensors[f"{name}.dout{k}"] = t
        for i, t in zip(grad, torch.autograd.grad(y, [x[i] for i in grad], seeds)):
            tensors[f"{name}.din{i}"] = t.detach().clone().contiguous()
    cases[name] = json.dumps({"op": op, "attrs": attrs, "n_in": len(x), "n_out": len(y), "grad": list(grad)})


def randn(*shape):
    return torch.randn(shape)


def positive(*shape):
    return torch.rand(shape) * 1.8 + 0.2


# ---- elementwise: broadcasting, ties, kinks, non-finite values ----
shapes = {"same": ((2, 3, 4), (2, 3, 4)), "channel": ((2, 3, 2, 2), (3, 1, 1)), "both": ((2, 1, 4), (3, 1)),
          "wider": ((4,), (2, 3, 4)), "scalar": ((2, 3), ())}
for op, f in {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum,
              "minimum": torch.minimum}.items():
    for shape, (a, b) in shapes.items():
        case(f"{op}_{shape}", op, "", [randn(*a), positive(*b) if op == "div" else randn(*b)], f, (0, 1))
special = torch.tensor([1.0, 2.0, -3.0, NAN, 1.0, INF, -INF, 0.0]), torch.tensor([1.0, -2.0, 4.0, 1.0, NAN, INF, INF, -0.0])
for op, f in {"maximum": torch.maximum, "minimum": torch.minimum}.items():
    case(f"{op}_special", op, "", special, f, (0, 1))
case("greater", "greater", "", special, lambda a, b: (a > b).double())
case("equal", "equal", "", special, lambda a, b: (a == b).double())
case("is_finite", "is_finite", "", special[:1], lambda a: torch.isfinite(a).double())
case("select", "select", "", [torch.tensor([[1.0], [0.0]]), randn(2, 5), randn(5)], lambda c, a, b: torch.where(c != 0, a, b), (1, 2))

for op, f in {"neg": torch.neg, "abs": torch.abs, "exp": torch.exp, "square": torch.square}.items():
    case(op, op, "", [torch.cat([randn(3, 4), torch.zeros(1, 4)])], f, (0,))
for op, f in {"log": torch.log, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt}.items():
    case(op, op, "", [positive(3, 4)], f, (0,))
case("sign", "sign", "", [torch.tensor([-2.0, 0.0, -0.0, 3.0, INF, NAN])], torch.sign)
case("scale", "scale", "factor=-1.25", [randn(3, 4)], lambda x: x * -1.25, (0,))
case("offset", "offset", "value=0.75", [randn(3, 4)], lambda x: x + 0.75, (0,))
for e in (2, 3, 0, -1, 1):
    case(f"pow_{e}", "pow", f"exponent={e}", [randn(3, 4)], lambda x: x ** e, (0,))
case("pow_half", "pow", "exponent=0.5", [positive(3, 4)], lambda x: x ** 0.5, (0,))
edges = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.5, INF, -INF])
case("clamp", "clamp", "low=-1 high=1", [edges], lambda x: x.clamp(-1, 1), (0,))
case("clamp_low", "clamp", "low=0", [edges], lambda x: x.clamp(min=0), (0,))
case("clamp_high", "clamp", "high=0.25", [edges], lambda x: x.clamp(max=0.25), (0,))
for t in (0.1, 0.5, 0.9):
    case(f"lerp_{t}", "lerp", f"t={t}", [randn(3, 4), randn(3, 4)], lambda a, b: torch.lerp(a, b, t), (0, 1))

# ---- reductions ----
for name, axes, keep in (("all", (), False), ("rows", (3,), True), ("image", (2, 3), False), ("batch", (0,), False), ("channel", (0, 2, 3), True)):
    dims = axes or (0, 1, 2, 3)
    attrs = f"axes={sum(1 << a for a in axes)} keep={'true' if keep else 'false'}"
    case(f"sum_{name}", "sum", attrs, [randn(2, 3, 4, 2)], lambda x: x.sum(dims, keep), (0,))
    case(f"mean_{name}", "mean", attrs, [randn(2, 3, 4, 2)], lambda x: x.mean(dims, keep), (0,))
    case(f"amax_{name}", "amax", attrs, [torch.randint(0, 4, (2, 3, 4, 2)).double()], lambda x: x.amax(dims, keep), (0,))
case("sum_squares", "sum_squares", "", [randn(3, 4)], lambda x: (x * x).sum(), (0,))
case("sum_to", "sum_to", "dims=3,1,2", [randn(2, 3, 4, 2)], lambda x: x.sum_to_size(3, 1, 2), (0,))
case("broadcast_to", "broadcast_to", "dims=2,3,4", [randn(3, 1)], lambda x: x.broadcast_to(2, 3, 4), (0,))

# ---- shapes ----
case("reshape", "reshape", "dims=6,4", [randn(2, 3, 4)], lambda x: x.reshape(6, 4), (0,))
case("permute", "permute", "axes=2,0,3,1", [randn(2, 3, 4, 2)], lambda x: x.permute(2, 0, 3, 1), (0,))
case("concat", "concat", "axis=1", [randn(2, 3, 2), randn(2, 1, 2), randn(2, 2, 2)], lambda *x: torch.cat(x, 1), (0, 1, 2))
case("concat_last", "concat", "axis=-1", [randn(2, 3), randn(2, 1)], lambda *x: torch.cat(x, -1), (0, 1))
case("slice", "slice", "axis=1 start=1 length=2", [randn(2, 4, 3)], lambda x: x[:, 1:3], (0,))
case("slice_last", "slice", "axis=-1 start=2 length=1", [randn(2, 4, 3)], lambda x: x[..., 2:], (0,))
case("pad", "pad", "before=0,0,1,2 after=0,0,3,0 value=0.5", [randn(2, 2, 3, 2)],
     lambda x: torch.nn.functional.pad(x, (2, 0, 1, 3), value=0.5), (0,))
case("one_hot", "one_hot", "classes=5 dtype=f64", [torch.tensor([0, 4, 2, 2])], lambda i: torch.nn.functional.one_hot(i, 5).double())
case("cast_truncate", "cast", "dtype=i64", [torch.tensor([-2.7, -0.5, 0.5, 3.99])], lambda x: x.long())
case("cast_float", "cast", "dtype=f64", [torch.tensor([-3, 0, 9])], lambda x: x.double())
counts = torch.tensor([2, 0, 3])
case("ragged_sum", "ragged_sum", "", [randn(5, 3), counts],
     lambda v, c: torch.stack([p.sum(0) for p in v.split(c.tolist())]))


# ---- optimizers: five updates each, one case an update; what an update leaves is what the next one takes ----
def number(v):
    return torch.tensor(float(v))


def updates(name, op, attrs, make, names, fixed, gscale=1.0):
    """`names`: optimizer state in the op's order; `fixed`: scalars between step and gscale."""
    p = torch.nn.Parameter(randn(3, 4))
    optimizer = make([p])
    for t in range(5):
        state = optimizer.state[p]
        before = [p.detach().clone()]
        old = [state[s].clone() if state.get(s) is not None else torch.zeros(3, 4) for s in names]
        gradient = randn(3, 4)
        p.grad = gradient * gscale
        optimizer.step()
        state = optimizer.state[p]
        new = [state[s].clone() if state.get(s) is not None else torch.zeros(3, 4) for s in names]
        inputs = before + [gradient] + old + [number(t)] + [number(v) for v in fixed] + [number(gscale), number(0)]
        outputs = tuple([p.detach().clone()] + new + [number(t + 1)])
        case(f"{name}_{t}", op, attrs, inputs, lambda *_: outputs)


def sgd(name, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, gscale=1.0):
    attrs = f"dampening={dampening} weight_decay={weight_decay} nesterov={'true' if nesterov else 'false'}"
    updates(name, "sgd", attrs, lambda p: torch.optim.SGD(p, lr, momentum, dampening, weight_decay, nesterov),
            ["momentum_buffer"], [lr, momentum], gscale)


def adam(name, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled=False, gscale=1.0):
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    attrs = f"beta2={betas[1]} eps={eps} weight_decay={weight_decay} decoupled={'true' if decoupled else 'false'}"
    updates(name, "adam", attrs, lambda p: kind(p, lr, betas, eps, weight_decay), ["exp_avg", "exp_avg_sq"], [lr, betas[0]], gscale)


sgd("sgd_plain", 0.1)
sgd("sgd_decay", 0.1, weight_decay=0.05)
sgd("sgd_momentum", 0.1, 0.9, gscale=0.25)
sgd("sgd_dampening", 0.1, 0.9, 0.3, 0.01)
sgd("sgd_nesterov", 0.1, 0.9, 0.0, 0.01, True)
adam("adam", 1e-2)
adam("adam_decay", 1e-2, (0.8, 0.95), 1e-4, 0.1, gscale=0.5)
adam("adamw", 1e-2, weight_decay=0.01, decoupled=True)
adam("adamw_strong", 0.1, (0.5, 0.9), 1e-6, 0.5, True, 2.0)

# EMA: torch.optim.swa_utils' formula. Clipping: torch.nn.utils.clip_grad_norm_ on the unscaled gradient.
case("ema", "ema", "", [randn(3, 4), randn(3, 4), number(0.99), number(0)],
     lambda e, p, d, s: torch.optim.swa_utils.get_ema_avg_fn(0.99)(e, p, 1))
for name, max_norm in (("clip", 1.0), ("clip_loose", 100.0)):
    p = torch.nn.Parameter(torch.zeros(3, 4))
    scaled = randn(3, 4) * 8
    p.grad = scaled / 8
    norm = torch.nn.utils.clip_grad_norm_([p], max_norm)
    factor = (p.grad / scaled).mean()
    case(name, "clip_scale", f"max_norm={max_norm}", [(scaled * scaled).sum(), number(1 / 8)], lambda *_: (factor, number(0), norm))
case("all_reduce", "all_reduce", "", [randn(3, 4)], lambda x: x)

path = os.path.join(os.path.dirname(__file__), "..", "..", "tests", "golden", "ops_b.safetensors")
save_file(tensors, path, metadata=cases)
print(f"{len(cases)} cases, {os.path.getsize(path)} bytes, torch {torch.__version__}")
