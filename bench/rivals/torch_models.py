# SPDX-License-Identifier: Apache-2.0
"""Models and settings shared by the PyTorch scripts."""

import contextlib

import torch
import torchvision

AUTOCAST = {"bf16": torch.bfloat16}
FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


def build(name, classes=None):
    """resnet18: ImageNet stem, 1000 classes. resnet18_cifar: 3x3 stride-1 stem, no max pool, 10."""
    if name == "resnet18":
        return torchvision.models.resnet18(num_classes=classes or 1000)
    if name == "resnet18_cifar":
        model = torchvision.models.resnet18(num_classes=classes or 10)
        model.conv1 = torch.nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        torch.nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
        model.maxpool = torch.nn.Identity()
        return model
    raise ValueError(f"unknown model {name!r}")


def classes_of(model):
    return model.fc.out_features


def parameter_count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def autocast(dtype):
    """bf16 = f32 weights with autocast, as PyTorch trains on a CPU; otherwise nothing."""
    if dtype in AUTOCAST:
        return torch.autocast("cpu", dtype=AUTOCAST[dtype])
    return contextlib.nullcontext()


def parse_shape(text):
    """'3x224x224' -> (3, 224, 224)"""
    shape = tuple(int(part) for part in text.split("x"))
    if len(shape) != 3:
        raise ValueError(f"expected CxHxW, got {text!r}")
    return shape


def versions():
    return {"torch": torch.__version__, "torchvision": torchvision.__version__,
            "cpu_capability": torch.backends.cpu.get_cpu_capability()}
