#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/ops_a.safetensors: convolution, linear, normalisation, pooling, softmax, cross-entropy and
activations as PyTorch computes them in float64. Format: tensors <case>.in<i>, .out<k>, .dout<k>, .din<i>; metadata <case>
-> JSON {"op", "attrs", "n_in", "n_out", "grad": inputs that have a .din}. Integer outputs have no .dout.
Run with a Python that has torch and safetensors: tools/golden/ops_a.py"""
import json
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(11)
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


def positive(*shape):
    return torch.rand(shape) * 1.8 + 0.2


def flag(b):
    return "true" if b else "false"


# ---- convolution: name, x, w, bias, stride, padding, dilation, groups ----
convs = [
    ("stem", (1, 2, 9, 8), (3, 2, 7, 7), False, (2, 2), (3, 3), (1, 1), 1),
    ("same", (1, 3, 5, 6), (4, 3, 3, 3), True, (1, 1), (1, 1), (1, 1), 1),
    ("strided", (2, 2, 7, 6), (3, 2, 3, 3), False, (2, 2), (1, 1), (1, 1), 1),
    ("pointwise", (2, 5, 3, 4), (2, 5, 1, 1), True, (1, 1), (0, 0), (1, 1), 1),
    ("skipping", (2, 3, 6, 5), (2, 3, 1, 1), False, (2, 2), (0, 0), (1, 1), 1),
    ("depthwise", (1, 4, 5, 5), (4, 1, 3, 3), True, (1, 1), (1, 1), (1, 1), 4),
    ("depthwise_two", (1, 3, 5, 5), (6, 1, 3, 3), False, (2, 1), (1, 1), (1, 1), 3),
    ("grouped", (1, 4, 6, 5), (6, 2, 3, 2), True, (1, 2), (2, 1), (2, 1), 2),
    ("dilated", (1, 2, 9, 8), (2, 2, 3, 3), False, (1, 1), (2, 3), (2, 3), 1),
    ("outside", (1, 2, 5, 2), (3, 2, 2, 3), False, (2, 3), (3, 2), (1, 2), 1),
    ("whole", (2, 2, 4, 4), (3, 2, 4, 4), True, (1, 1), (0, 0), (1, 1), 1),
    ("wide_channels", (1, 17, 2, 2), (9, 17, 1, 2), False, (1, 1), (0, 1), (1, 1), 1),
]
pair = "{0[0]},{0[1]}".format
for name, x, w, bias, stride, padding, dilation, groups in convs:
    attrs = f"stride={pair(stride)} padding={pair(padding)} dilation={pair(dilation)} groups={groups}"
    inputs = [randn(*x), randn(*w)] + ([randn(w[0])] if bias else [])
    conv = lambda x, w, b=None: F.conv2d(x, w, b, stride, padding, dilation, groups)
    case(f"conv2d_{name}", "conv2d", attrs, inputs, conv, range(len(inputs)))
    if name in ("strided", "grouped"):
        weight, y = inputs[1], conv(inputs[0], inputs[1])
        case(f"conv2d_dgrad_{name}", "conv2d_dgrad", f"{attrs} size={x[2]},{x[3]}", [randn(*y.shape), weight],
             lambda dy, w: torch.nn.grad.conv2d_input(x, w, dy, stride, padding, dilation, groups), (0, 1))
        case(f"conv2d_wgrad_{name}", "conv2d_wgrad", f"{attrs} kernel={w[2]},{w[3]}", [inputs[0], randn(*y.shape)],
             lambda x, dy: torch.nn.grad.conv2d_weight(x, w, dy, stride, padding, dilation, groups), (0, 1))
acts = {"none": lambda x: x, "relu": F.relu, "silu": F.silu}
for act, f in acts.items():
    case(f"conv2d_act_{act}", "conv2d_act", f"padding=1,1 act={act}", [randn(1, 3, 4, 5), randn(2, 3, 3, 3), randn(2)],
         lambda x, w, b: f(F.conv2d(x, w, b, padding=1)), (0, 1, 2))
    case(f"conv2d_act_{act}_add", "conv2d_act", f"stride=2,2 padding=1,1 act={act}",
         [randn(2, 3, 5, 4), randn(2, 3, 3, 3), randn(2), randn(2, 2, 3, 2)],
         lambda x, w, b, r: f(F.conv2d(x, w, b, 2, 1) + r), (0, 1, 2, 3))

# ---- linear algebra ----
case("linear", "linear", "", [randn(3, 7), randn(5, 7), randn(5)], F.linear, (0, 1, 2))
case("linear_plain", "linear", "", [randn(3, 4), randn(2, 4)], F.linear, (0, 1))
case("linear_tokens", "linear", "", [randn(2, 3, 6), randn(4, 6), randn(4)], F.linear, (0, 1, 2))
for ta in (False, True):
    for tb in (False, True):
        def product(a, b):
            return torch.matmul(a.transpose(-1, -2) if ta else a, b.transpose(-1, -2) if tb else b)
        attrs, name = f"transpose_a={flag(ta)} transpose_b={flag(tb)}", f"matmul_{'nt'[ta]}{'nt'[tb]}"
        a, b = ((4, 3) if ta else (3, 4)), ((5, 4) if tb else (4, 5))
        case(name, "matmul", attrs, [randn(*a), randn(*b)], product, (0, 1))
        case(f"{name}_batched", "matmul", attrs, [randn(2, *a), randn(2, *b)], product, (0, 1))
        case(f"{name}_shared", "matmul", attrs, [randn(2, *a), randn(*b)], product, (0, 1))


# ---- normalisation: every output has a cotangent, statistics too ----
def statistics(x):
    axes = [i for i in range(x.dim()) if i != 1]
    return x.mean(axes), x.var(axes, unbiased=False), x.var(axes, unbiased=True)


for name, shape, eps in (("image", (2, 3, 3, 4), 1e-5), ("features", (4, 5), 1e-5), ("eps", (3, 2, 2, 2), 0.1), ("tokens", (2, 3, 5), 1e-3)):
    c = shape[1]
    x = randn(*shape) * 2 + 3
    case(f"batch_norm_train_{name}", "batch_norm_train", f"eps={eps}", [x, positive(c), randn(c)],
         lambda x, w, b: (F.batch_norm(x, None, None, w, b, True, 0.1, eps),) + statistics(x), (0, 1, 2))
    case(f"batch_norm_eval_{name}", "batch_norm_eval", f"eps={eps}", [x, positive(c), randn(c), randn(c), positive(c)],
         lambda x, w, b, m, v: w.view(-1, *[1] * (x.dim() - 2)) * (x - m.view(-1, *[1] * (x.dim() - 2)))
         / torch.sqrt(v + eps).view(-1, *[1] * (x.dim() - 2)) + b.view(-1, *[1] * (x.dim() - 2)), (0, 1, 2, 3, 4))
# A far mean: a one-pass variance would lose it.
case("batch_norm_train_far", "batch_norm_train", "eps=1e-05", [randn(2, 2, 3, 3) + 1e4, positive(2), randn(2)],
     lambda x, w, b: (F.batch_norm(x, None, None, w, b, True, 0.1, 1e-5),) + statistics(x))
for act, f in acts.items():
    bn = lambda x, w, b: F.batch_norm(x, None, None, w, b, True, 0.1, 1e-5)
    case(f"bn_act_train_{act}", "bn_act_train", f"act={act}", [randn(2, 3, 2, 3), positive(3), randn(3)],
         lambda x, w, b: (f(bn(x, w, b)),) + statistics(x), (0, 1, 2))
    case(f"bn_act_train_{act}_add", "bn_act_train", f"act={act}", [randn(2, 3, 2, 3), positive(3), randn(3), randn(2, 3, 2, 3)],
         lambda x, w, b, r: (f(bn(x, w, b) + r),) + statistics(x), (0, 1, 2, 3))
for name, shape, axis, eps in (("rows", (3, 7), -1, 1e-6), ("tokens", (2, 3, 5), -1, 1e-5), ("channel", (2, 6, 3, 2), 1, 1e-6)):
    def layer_norm(x, w, b):
        u = x.movedim(axis, -1)
        y, mean, rstd = torch.native_layer_norm(u, (u.shape[-1],), w, b, eps)
        return y.movedim(-1, axis), u.mean(-1), 1 / torch.sqrt(u.var(-1, unbiased=False) + eps)
    a = shape[axis]
    case(f"layer_norm_{name}", "layer_norm", f"eps={eps} axis={axis}", [randn(*shape) * 2 + 1, positive(a), randn(a)], layer_norm, (0, 1, 2))

# ---- pooling: name, x, kernel, stride, padding, ceil_mode ----
pools = [
    ("halving", (2, 2, 4, 4), (2, 2), (2, 2), (0, 0), False), ("stem", (1, 2, 7, 6), (3, 3), (2, 2), (1, 1), False),
    ("ceil", (1, 2, 6, 6), (3, 3), (2, 2), (0, 0), True), ("ceil_pad", (1, 2, 5, 7), (2, 3), (2, 3), (1, 1), True),
    ("ceil_cut", (1, 2, 7, 5), (2, 2), (3, 3), (1, 1), True), ("overlap", (1, 3, 4, 5), (3, 2), (1, 1), (1, 0), False),
    ("gap", (1, 2, 7, 5), (2, 1), (3, 2), (0, 0), False), ("whole", (1, 3, 3, 4), (3, 4), (1, 1), (0, 0), False),
]
for name, x, kernel, stride, padding, ceil in pools:
    attrs = f"kernel={pair(kernel)} stride={pair(stride)} padding={pair(padding)} ceil_mode={flag(ceil)}"
    case(f"max_pool2d_{name}", "max_pool2d", attrs, [randn(*x)],
         lambda x: F.max_pool2d(x, kernel, stride, padding, 1, ceil, return_indices=True), (0,))
    for count in (True, False):
        case(f"avg_pool2d_{name}_{'pad' if count else 'real'}", "avg_pool2d", f"{attrs} count_include_pad={flag(count)}", [randn(*x)],
             lambda x: F.avg_pool2d(x, kernel, stride, padding, ceil, count), (0,))
attrs = "kernel=3,3 stride=2,2 padding=1,1"
special = torch.randint(0, 3, (1, 2, 6, 6)).double()
special[0, 0, 2, 3], special[0, 1, 0:4, 0:4], special[0, 0, 0, 0] = NAN, -INF, INF
case("max_pool2d_special", "max_pool2d", attrs, [special], lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True))
case("max_pool2d_ties", "max_pool2d", attrs, [torch.randint(0, 2, (1, 2, 7, 5)).double()],
     lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True), (0,))
case("global_avg_pool2d", "global_avg_pool2d", "", [randn(2, 3, 4, 5)], lambda x: F.adaptive_avg_pool2d(x, 1), (0,))
case("global_avg_pool2d_one", "global_avg_pool2d", "", [randn(2, 3, 1, 1)], lambda x: F.adaptive_avg_pool2d(x, 1), (0,))

# ---- softmax; great values, -inf ----
for name, f in (("softmax", F.softmax), ("log_softmax", F.log_softmax)):
    for axis, shape in ((-1, (3, 7)), (1, (2, 5, 3, 2)), (0, (4, 3)), (-1, (2, 2, 3, 3))):
        case(f"{name}_{axis}_{len(shape)}d", name, f"axis={axis}", [randn(*shape) * 3], lambda x: f(x, axis), (0,))
    case(f"{name}_great", name, "", [torch.tensor([[1e4, 0.0, -1e4], [-1e4, -1e4 + 1, -1e4 - 2]])], lambda x: f(x, -1), (0,))
    case(f"{name}_infinite", name, "", [torch.tensor([[-INF, 0.0, 1.0], [NAN, 0.0, 1.0]])], lambda x: f(x, -1))

# ---- cross-entropy: sums and weights, whose quotient is PyTorch's mean ----
logits, target = randn(6, 5) * 2, torch.tensor([0, 4, 2, 1, 1, 3])
ignored, classes = torch.tensor([0, -100, 2, 1, -100, 3]), positive(5)
probabilities = F.softmax(randn(6, 5), 1)


def index_loss(smoothing, ignore):
    def f(x, t, w=None):
        kept = t != ignore
        weight = (torch.ones(5) if w is None else w)[t[kept]].sum()
        return F.cross_entropy(x, t, w, reduction="sum", ignore_index=ignore, label_smoothing=smoothing), weight
    return f


def soft_loss(smoothing):
    return lambda x, t, w=None: (F.cross_entropy(x, t, w, reduction="sum", label_smoothing=smoothing), torch.tensor(float(len(x))))


for smoothing in (0.0, 0.1):
    attrs, s = f"label_smoothing={smoothing}", "_smooth" if smoothing else ""
    case(f"cross_entropy{s}", "cross_entropy", attrs, [logits, target], index_loss(smoothing, -100), (0,))
    case(f"cross_entropy{s}_ignored", "cross_entropy", attrs, [logits, ignored], index_loss(smoothing, -100), (0,))
    case(f"cross_entropy{s}_ignored_one", "cross_entropy", f"{attrs} ignore_index=1", [logits, target], index_loss(smoothing, 1), (0,))
    case(f"cross_entropy{s}_weighted", "cross_entropy", attrs, [logits, ignored, classes], index_loss(smoothing, -100), (0,))
    case(f"cross_entropy{s}_soft", "cross_entropy", attrs, [logits, probabilities], soft_loss(smoothing), (0, 1))
    case(f"cross_entropy{s}_soft_weighted", "cross_entropy", attrs, [logits, probabilities, classes], soft_loss(smoothing), (0, 1))
case("cross_entropy_all_ignored", "cross_entropy", "", [logits[:2], torch.tensor([-100, -100])], index_loss(0.0, -100), (0,))
case("cross_entropy_great", "cross_entropy", "", [torch.tensor([[1e4, 0.0, -1e4], [-1e4, 0.0, 1e4]]), torch.tensor([2, 2])],
     lambda x, t: (F.cross_entropy(x, t, reduction="sum"), torch.tensor(2.0)), (0,))
case("cross_entropy_infinite", "cross_entropy", "", [torch.tensor([[-INF, 0.0, 1.0]]), torch.tensor([1])],
     lambda x, t: (F.cross_entropy(x, t, reduction="sum"), torch.tensor(1.0)), (0,))


# ---- discrete ----
def topk(k):
    return lambda x, t: (x > x.gather(1, t[:, None])).sum(1).lt(k).double()


scores = randn(5, 7)
for k in (1, 3, 5, 7, 9):
    labels = torch.randint(0, 7, (5,))
    case(f"topk_correct_{k}", "topk_correct", f"k={k}", [scores, labels], topk(k))
    if k <= 7:      # without ties it is what torch.topk says
        assert torch.equal((scores.topk(k).indices == labels[:, None]).any(1).double(), topk(k)(scores, labels))
case("topk_correct_ties", "topk_correct", "k=2", [torch.tensor([[1.0, 1.0, 1.0], [2.0, 2.0, 1.0], [3.0, 2.0, 1.0]]), torch.tensor([2, 2, 2])],
     lambda x, t: torch.tensor([1.0, 0.0, 0.0]))
case("topk_correct_nan", "topk_correct", "k=3", [torch.tensor([[NAN, 1.0, 2.0], [NAN, 1.0, 2.0], [NAN, NAN, 2.0]]), torch.tensor([0, 1, 2])],
     lambda x, t: torch.tensor([0.0, 1.0, 1.0]))      # a NaN target is wrong, other NaN count as greater
case("argmax", "argmax", "", [randn(4, 7)], lambda x: x.argmax(-1))
case("argmax_channel", "argmax", "axis=1", [randn(2, 5, 3, 2)], lambda x: x.argmax(1))
case("argmax_ties", "argmax", "axis=0", [torch.tensor([[1.0, 2.0, NAN, -INF], [1.0, 3.0, INF, -INF], [0.0, 3.0, NAN, -INF]])],
     lambda x: torch.tensor([0, 1, 0, 0]))

# ---- activations ----
x = torch.cat([randn(3, 5) * 2, torch.tensor([[0.5, -0.25, 30.0, -30.0, 1e-9]])])
for name, attrs, f in (("relu", "", F.relu), ("silu", "", F.silu), ("sigmoid", "", torch.sigmoid), ("tanh", "", torch.tanh),
                       ("leaky_relu", "slope=0.01", F.leaky_relu), ("gelu", "", F.gelu), ("gelu", "tanh=true", lambda x: F.gelu(x, approximate="tanh")),
                       ("leaky_relu", "slope=0.2", lambda x: F.leaky_relu(x, 0.2))):
    case(f"{name}_{attrs.replace('=', '_') or 'plain'}", name, attrs, [x], f, (0,))
    case(f"{name}_{attrs.replace('=', '_') or 'plain'}_special", name, attrs, [torch.tensor([0.0, -0.0, INF, NAN, -1e300, 700.0, -700.0])], f)

path = os.path.join(os.path.dirname(__file__), "..", "..", "tests", "golden", "ops_a.safetensors")
save_file(tensors, path, metadata=cases)
print(f"{len(cases)} cases, {os.path.getsize(path)} bytes, torch {torch.__version__}")
