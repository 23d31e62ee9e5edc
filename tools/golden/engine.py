#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/engine_<proof>.safetensors: what PyTorch computes in float64 for the tiny nets of tests/engine.

Nothing random is stored: initial values, pictures and labels come from a formula that tests/engine/nets.c repeats:
    fnv(text)  = FNV-1a, 64 bits;    mix(x) = splitmix64
    unit(stream, i)  = (mix(mix(fnv(stream)) + i) >> 11) * 2^-53                         in [0, 1)
    initial(name, i) of a tensor `name`, u = unit("init." + name, i), rounded to float32:
        running_mean 0.1 (2u - 1); running_var 1 + 0.5 u; lora_B 0;
        rank >= 2: (2u - 1) sqrt(6 / fan_in), fan_in = elements / dim 0;
        rank 1: weight 1 + 0.2 (2u - 1), others 0.1 (2u - 1)
    data(stream, i) = 2u - 1, rounded to float32;    label(stream, i, n) = floor(u n)
A file holds the losses of the steps and the final value of every variable ("final.<name>").
Run with a Python that has torch and safetensors: tools/golden/engine.py [proof ...]"""
import math
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
U = np.uint64


def fnv(text):
    h = 14695981039346656037
    for c in text.encode():
        h = ((h ^ c) * 1099511628211) & (2**64 - 1)
    return h


def mix(x):
    with np.errstate(over="ignore"):
        x = x + U(0x9E3779B97F4A7C15)
        x = (x ^ (x >> U(30))) * U(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> U(27))) * U(0x94D049BB133111EB)
        return x ^ (x >> U(31))


def unit(stream, n, start=0):
    base = mix(np.array([fnv(stream)], dtype=U))
    with np.errstate(over="ignore"):
        return (mix(base + np.arange(start, start + n, dtype=U)) >> U(11)).astype(np.float64) * 2.0**-53


def initial(name, shape):
    n = math.prod(shape)
    u = unit("init." + name, n)
    if name.endswith("running_mean"):
        v = 0.1 * (2 * u - 1)
    elif name.endswith("running_var"):
        v = 1 + 0.5 * u
    elif name.endswith("lora_B"):
        v = 0 * u
    elif len(shape) >= 2:
        v = (2 * u - 1) * math.sqrt(6.0 / (n // shape[0]))
    elif name.endswith("weight"):
        v = 1 + 0.2 * (2 * u - 1)
    else:
        v = 0.1 * (2 * u - 1)
    return torch.from_numpy(v.astype(np.float32).astype(np.float64).reshape(shape))


def data(stream, *shape):
    v = 2 * unit(stream, math.prod(shape)) - 1
    return torch.from_numpy(v.astype(np.float32).astype(np.float64).reshape(shape))


def labels(stream, n, classes):
    return torch.from_numpy((unit(stream, n) * classes).astype(np.int64))


class Net:
    """Parameters and buffers by name, made at first use; layers spelled as Fovea's."""

    def __init__(self):
        self.p, self.buffers, self.frozen = {}, {}, lambda name: False

    def param(self, name, *shape):
        if name not in self.p:
            self.p[name] = initial(name, shape).requires_grad_(True)
        return self.p[name]

    def buffer(self, name, *shape):
        if name not in self.buffers:
            self.buffers[name] = initial(name, shape)
        return self.buffers[name]

    def conv(self, name, x, out, kernel, stride=1, padding=0, bias=False, weight=None):
        w = self.param(name + ".weight", out, x.shape[1], kernel, kernel) if weight is None else weight
        b = self.param(name + ".bias", out) if bias else None
        return F.conv2d(x, w, b, stride, padding)

    def linear(self, name, x, out, weight=None):
        w = self.param(name + ".weight", out, x.shape[-1]) if weight is None else weight
        return F.linear(x, w, self.param(name + ".bias", out))

    def bn(self, name, x, training=True):
        c = x.shape[1]
        w, b = self.param(name + ".weight", c), self.param(name + ".bias", c)
        mean, var = self.buffer(name + ".running_mean", c), self.buffer(name + ".running_var", c)
        return F.batch_norm(x, mean, var, w, b, training and not self.frozen(name + ".weight"), 0.1, 1e-5)

    def conv_bn_relu(self, name, x, out, kernel, stride=1):
        x = self.conv(name + ".conv", x, out, kernel, stride, (kernel - 1) // 2)
        return F.relu(self.bn(name + ".bn", x))

    def train(self):
        for name, p in self.p.items():
            p.requires_grad_(not self.frozen(name))

    def groups(self, decay, prefix=""):
        mine = {n: p for n, p in self.p.items() if n.startswith(prefix)}
        return [{"params": [p for p in mine.values() if p.dim() >= 2], "weight_decay": decay},
                {"params": [p for p in mine.values() if p.dim() < 2], "weight_decay": 0.0}]

    def state(self):
        return {"final." + n: t.detach().clone() for n, t in {**self.p, **self.buffers}.items()}


def save(proof, tensors):
    path = os.path.join(os.path.dirname(__file__), "..", "..", "tests", "golden", f"engine_{proof}.safetensors")
    out = {n: (torch.tensor(t, dtype=torch.float64) if isinstance(t, list) else t).contiguous() for n, t in tensors.items()}
    save_file(out, path)
    print(f"{proof}: {os.path.getsize(path)} bytes, losses {[round(float(x), 4) for x in out.get('loss', [])]}")


def update(loss_sum, weight, optimizer, max_norm=0.0):
    optimizer.zero_grad(set_to_none=True)
    (loss_sum / weight).backward()
    if max_norm:
        torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"] if p.grad is not None], max_norm)
    optimizer.step()


# ---- the proofs -----------------------------------------------------------------------------------------------------

def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target), reduction="sum")


def gan():
    """One picture of the generator for both updates: the discriminator first, then the generator through the new one."""
    n, net, batch = 6, Net(), 5

    def generator(z):
        h = F.leaky_relu(net.linear("gen.fc", z, 32), 0.2).reshape(-1, 2, 4, 4)
        return torch.tanh(net.conv("gen.conv", h, 3, 3, 1, 1, True))

    def discriminator(x):
        h = F.leaky_relu(net.conv("disc.conv", x, 4, 3, 2, 1, True), 0.2)
        return net.linear("disc.fc", h.flatten(1), 1)

    discriminator(generator(data("gan.z0", batch, 4)))
    d_opt = torch.optim.AdamW(net.groups(0.01, "disc"), lr=5e-3, betas=(0.5, 0.999), eps=1e-8)
    g_opt = torch.optim.SGD(net.groups(0.0, "gen"), lr=5e-3, momentum=0.9, nesterov=True)
    d_loss, g_loss = [], []
    for step in range(n):
        real, fake = data(f"gan.real{step}", batch, 3, 4, 4), generator(data(f"gan.z{step}", batch, 4))
        loss = bce(discriminator(real), 1.0) + bce(discriminator(fake.detach()), 0.0)
        d_loss.append(loss.item())
        update(loss, batch, d_opt)
        loss = bce(discriminator(fake), 1.0)
        g_loss.append(loss.item())
        update(loss, batch, g_opt)
    save("gan", {"d_loss": d_loss, "g_loss": g_loss, **net.state()})


def distill():
    net, batch, classes, t = Net(), 4, 5, 2.0
    net.frozen = lambda name: name.startswith("teacher.")

    def tower(who, x, widths):
        a = net.conv_bn_relu(who + ".layer1", x, widths[0], 3)
        b = net.conv_bn_relu(who + ".layer2", a, widths[1], 3, 2)
        return b, net.linear(who + ".fc", b.mean((2, 3)), classes)

    tower("teacher", data("x", batch, 3, 8, 8), (6, 8))
    net.p.update({k: v.detach() for k, v in net.p.items()})
    tower("student", data("x", batch, 3, 8, 8), (4, 8))
    for name, b in net.buffers.items():
        net.buffers[name] = initial(name, b.shape)
    optimizer = torch.optim.SGD(net.groups(1e-3, "student"), lr=0.05, momentum=0.9)
    losses = []
    for step in range(5):
        x, y = data(f"distill.x{step}", batch, 3, 8, 8), labels(f"distill.y{step}", batch, classes)
        ft, lt = tower("teacher", x, (6, 8))
        fs, ls = tower("student", x, (4, 8))
        soft = F.cross_entropy(ls / t, F.softmax(lt / t, 1), reduction="sum")
        loss = F.cross_entropy(ls, y, reduction="sum") + t * t * soft + ((fs - ft) ** 2).sum() / ft[0].numel()
        losses.append(loss.item())
        update(loss, batch, optimizer)
    save("distill", {"loss": losses, **net.state()})


def adapter():
    net, batch, rank, alpha = Net(), 4, 2, 4.0
    net.frozen = lambda name: "lora" not in name

    def forward(x):
        x = F.relu(net.conv("conv1", x, 6, 3, 1, 1, True))
        w = net.param("conv2.weight", 8, 6, 3, 3)
        a, b = net.param("conv2.weight.lora_A", rank, 54), net.param("conv2.weight.lora_B", 8, rank)
        x = F.relu(net.conv("conv2", x, 8, 3, 2, 1, True, w + alpha / rank * (b @ a).reshape(w.shape)))
        w = net.param("fc.weight", 5, 8)
        a, b = net.param("fc.weight.lora_A", rank, 8), net.param("fc.weight.lora_B", 5, rank)
        return net.linear("fc", x.mean((2, 3)), 5, w + alpha / rank * (b @ a))

    forward(data("x", batch, 3, 8, 8))
    net.train()
    optimizer = torch.optim.AdamW(net.groups(0.05), lr=1e-2)
    losses = []
    for step in range(6):
        loss = F.cross_entropy(forward(data(f"adapter.x{step}", batch, 3, 8, 8)), labels(f"adapter.y{step}", batch, 5), reduction="sum")
        losses.append(loss.item())
        update(loss, batch, optimizer)
    save("adapter", {"loss": losses, **net.state()})


def two_blocks(net, x, widths=(6, 8), classes=5):
    x = net.conv_bn_relu("layer1", x, widths[0], 3)
    x = net.conv_bn_relu("layer2", x, widths[1], 3, 2)
    return net.linear("fc", x.mean((2, 3)), classes)


def fresh(net, *shape):
    """Makes the variables of two_blocks without leaving a trace in the running statistics."""
    two_blocks(net, data("x", *shape))
    for name, b in net.buffers.items():
        net.buffers[name] = initial(name, b.shape)


def freeze():
    net, batch = Net(), 4
    fresh(net, batch, 3, 8, 8)
    optimizer = torch.optim.Adam(net.groups(1e-3), lr=1e-2)
    losses = []
    for step in range(8):
        net.frozen = [lambda n: n.startswith("layer1."), lambda n: False, lambda n: n.startswith("layer2.")][min(step // 3, 2)]
        net.train()
        x, y = data(f"freeze.x{step}", batch, 3, 8, 8), labels(f"freeze.y{step}", batch, 5)
        loss = F.cross_entropy(two_blocks(net, x), y, reduction="sum")
        losses.append(loss.item())
        update(loss, batch, optimizer)
    steps = {n: optimizer.state[p]["step"].double().reshape(()) for n, p in net.p.items()}
    save("freeze", {"loss": losses, **net.state(), **{f"final.{n}:step": s for n, s in steps.items()}})


def sizes():
    net, batch = Net(), 2
    fresh(net, batch, 3, 8, 8)
    optimizer = torch.optim.SGD(net.groups(1e-3), lr=0.05, momentum=0.9)
    losses = []
    for step in range(9):
        size = (32, 48, 64)[step * 2 % 3]
        loss = F.cross_entropy(two_blocks(net, data(f"sizes.x{step}", batch, 3, size, size)), labels(f"sizes.y{step}", batch, 5), reduction="sum")
        losses.append(loss.item())
        update(loss, batch, optimizer)
    save("sizes", {"loss": losses, **net.state()})


def last_batch():
    net = Net()
    fresh(net, 4, 3, 8, 8)
    optimizer = torch.optim.AdamW(net.groups(0.05), lr=1e-2)
    losses = []
    for step in range(6):
        n = (4, 4, 1)[step % 3]
        loss = F.cross_entropy(two_blocks(net, data(f"last.x{step}", n, 3, 8, 8)), labels(f"last.y{step}", n, 5), reduction="sum")
        losses.append(loss.item())
        update(loss, n, optimizer, 1.0)
    save("last_batch", {"loss": losses, **net.state()})


RAGGED = [[0, 0, 0, 0], [1, 0, 3, 2], [500, 1500, 0, 0], [0, 0, 0, 1], [2000, 0, 0, 0], [0, 0, 0, 0], [7, 11, 13, 17]]


def ragged():
    net, batch, width = Net(), 4, 3
    losses = []
    optimizer = None
    for step, counts in enumerate(RAGGED):
        rows = data(f"ragged.v{step}", sum(counts), width)
        h = F.relu(net.conv("conv", data(f"ragged.x{step}", batch, 3, 8, 8), 6, 3, 2, 1, True))
        y = net.linear("fc", h.mean((2, 3)), width)
        optimizer = optimizer or torch.optim.SGD(net.groups(0.0), lr=0.1, momentum=0.9)
        target = torch.stack([r.sum(0) for r in rows.split(counts)]) / (1 + torch.tensor(counts).double())[:, None]
        loss = ((y - target) ** 2).sum()
        losses.append(loss.item())
        update(loss, batch, optimizer)
    save("ragged", {"loss": losses, **net.state()})


def plain_net(net, x):
    x = F.silu(net.conv("conv1", x, 6, 3, 1, 1, True))
    x = F.relu(net.conv("conv2", x, 8, 3, 2, 1, True))
    return net.linear("fc", x.mean((2, 3)), 5)


def accumulate():
    """Large batches of 6 with class weights; the tests cut them in micro-batches, ranks and slots."""
    net, n = Net(), 6
    class_weight = torch.tensor([0.5, 1.0, 1.5, 2.0, 0.25])
    plain_net(net, data("x", n, 3, 8, 8))
    optimizer = torch.optim.AdamW(net.groups(0.05), lr=1e-2)
    losses = []
    for step in range(6):
        x, y = data(f"accumulate.x{step}", n, 3, 8, 8), labels(f"accumulate.y{step}", n, 5)
        loss = F.cross_entropy(plain_net(net, x), y, class_weight, reduction="sum")
        losses.append(loss.item())
        update(loss, class_weight[y].sum(), optimizer, 0.5)
    save("accumulate", {"loss": losses, **net.state()})


def pipeline():
    """Three micro-batches of 2, 3 and 1 pictures a step, each with batch statistics of its own."""
    net, cuts = Net(), [2, 3, 1]
    fresh(net, 4, 3, 8, 8)
    optimizer = torch.optim.SGD(net.groups(1e-3), lr=0.05, momentum=0.9)
    losses = []
    for step in range(4):
        x, y = data(f"pipeline.x{step}", 6, 3, 8, 8), labels(f"pipeline.y{step}", 6, 5)
        parts = [F.cross_entropy(two_blocks(net, a), b, reduction="sum") for a, b in zip(x.split(cuts), y.split(cuts))]
        losses += [p.item() for p in parts]
        update(sum(parts), 6, optimizer)
    save("pipeline", {"loss": losses, **net.state()})


def bn_twice():
    net, batch = Net(), 4

    def forward(x):
        a = F.relu(net.bn("shared", net.conv("conv1", x, 6, 3, 1, 1)))
        b = F.relu(net.bn("shared", net.conv("conv2", a, 6, 3, 1, 1)))
        return net.linear("fc", b.mean((2, 3)), 5)

    forward(data("x", batch, 3, 8, 8))
    for name, b in net.buffers.items():
        net.buffers[name] = initial(name, b.shape)
    optimizer = torch.optim.SGD(net.groups(1e-3), lr=0.05, momentum=0.9)
    losses = []
    for step in range(5):
        loss = F.cross_entropy(forward(data(f"twice.x{step}", batch, 3, 8, 8)), labels(f"twice.y{step}", batch, 5), reduction="sum")
        losses.append(loss.item())
        update(loss, batch, optimizer)
    save("bn_twice", {"loss": losses, **net.state()})


def skip():
    """Step 2 has a target that is not a number: no update, no average; the running statistics go on."""
    net, batch = Net(), 4
    fresh(net, batch, 3, 8, 8)
    optimizer = torch.optim.AdamW(net.groups(0.05), lr=1e-2)
    average, losses = {}, []
    for step in range(5):
        y = two_blocks(net, data(f"skip.x{step}", batch, 3, 8, 8))
        loss = ((y - data(f"skip.y{step}", batch, 5)) ** 2).sum()
        losses.append(loss.item())
        if step != 2:
            update(loss, batch, optimizer, 1.0)
            decay = 0.9 if step else 0.0
            for name, v in {**net.p, **net.buffers}.items():
                average[name] = decay * average.get(name, 0 * v.detach()) + (1 - decay) * v.detach()
    save("skip", {"loss": losses, **net.state(), **{f"final.{n}:ema": v for n, v in average.items()}})


def resnet18():
    """30 losses of ResNet-18 (ImageNet stem, 32x32, AdamW of the small example). A minute; needs torchvision. PyTorch differs
    from itself by up to 1e-10 relative here (memory format), by 5e-12 (threads)."""
    from torchvision.models import resnet18 as build

    m, batch, losses = build(num_classes=10).double().train(), 8, []
    with torch.no_grad():
        for name, p in [*m.named_parameters(), *((n, b) for n, b in m.named_buffers() if b.is_floating_point())]:
            p.copy_(initial(name, tuple(p.shape)))
    groups = [{"params": [p for p in m.parameters() if p.dim() >= 2], "weight_decay": 0.05},
              {"params": [p for p in m.parameters() if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3)
    for step in range(30):
        x, y = data(f"resnet.x{step}", batch, 3, 32, 32), labels(f"resnet.y{step}", batch, 10)
        loss = F.cross_entropy(m(x), y, reduction="sum")
        losses.append(loss.item() / batch)
        update(loss, batch, optimizer, 1.0)
    save("resnet18", {"loss": losses})


def penalty():
    """A critic with a gradient penalty (WGAN-GP, Gulrajani et al. 2017): gradients of gradients. The second one is smooth and has
    a max pool."""
    def critic(net, x):
        h = F.leaky_relu(net.conv("conv1", x, 16, 3, 1, 1, True), 0.2)
        h = F.leaky_relu(net.conv("conv2", h, 16, 3, 2, 1, True), 0.2)
        h = F.leaky_relu(net.conv("conv3", h, 8, 4, 2, 1), 0.2)
        return net.linear("fc", h.flatten(1), 1)

    def smooth(net, x):
        h = F.silu(net.conv("smooth1", x, 8, 3, 1, 1, True))
        h = torch.tanh(net.conv("smooth2", F.max_pool2d(h, 2), 8, 3, 1, 1, True))
        return net.linear("smooth3", torch.sigmoid(F.avg_pool2d(h, 2)).flatten(1), 1)

    net, batch, losses = Net(), 4, []
    for f in (critic, smooth):
        f(net, data("x", batch, 3, 8, 8))
    optimizer = torch.optim.AdamW(net.groups(0.0), lr=1e-2, betas=(0.5, 0.999), eps=1e-8)
    for step in range(5):
        real, fake = data(f"penalty.real{step}", batch, 3, 8, 8), data(f"penalty.fake{step}", batch, 3, 8, 8)
        e = (0.5 * data(f"penalty.e{step}", batch, 1, 1, 1) + 0.5)
        loss = 0
        for f in (critic, smooth):
            x = (e * real + (1 - e) * fake).requires_grad_(True)
            slope, = torch.autograd.grad(f(net, x).sum(), x, create_graph=True)
            norm = torch.sqrt((slope**2).sum((1, 2, 3)))
            loss = loss + f(net, fake).sum() - f(net, real).sum() + 10 * ((norm - 1) ** 2).sum()
        losses.append(loss.item())
        update(loss, batch, optimizer)
    save("penalty", {"loss": losses, **net.state()})


PROOFS = [gan, penalty, distill, adapter, freeze, sizes, last_batch, ragged, accumulate, pipeline, bn_twice, skip, resnet18]
for proof in PROOFS:
    if len(sys.argv) < 2 or proof.__name__ in sys.argv[1:]:
        proof()
