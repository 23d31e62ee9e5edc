# SPDX-License-Identifier: Apache-2.0
"""Writes a model with fixed random weights as ONNX, batch size left open.

A program of its own: the process that times ONNX Runtime then never loads PyTorch.
"""

import argparse

import torch
import torch_models as models


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=["resnet18", "resnet18_cifar"], default="resnet18")
    parser.add_argument("--input", type=models.parse_shape, default=(3, 224, 224), metavar="CxHxW")
    parser.add_argument("out")
    args = parser.parse_args()

    torch.manual_seed(0)
    model = models.build(args.model).eval()
    example = torch.randn(2, *args.input)
    torch.onnx.export(
        model, (example,), args.out, input_names=["input"], output_names=["output"],
        dynamic_shapes=({0: torch.export.Dim("batch_size")},), external_data=False, dynamo=True,
        verbose=False,
    )


if __name__ == "__main__":
    main()
