# SPDX-License-Identifier: Apache-2.0
"""Time of one training step in PyTorch: forward, cross-entropy, backward, SGD with momentum.

The batch is synthetic and resident, so no data loading is in the figure. One JSON line.
"""

import argparse

import measure

memory = measure.PeakMemory()

import torch  # noqa: E402
import torch_models as models  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=["resnet18", "resnet18_cifar"], default="resnet18_cifar")
    parser.add_argument("--input", type=models.parse_shape, default=(3, 32, 32), metavar="CxHxW")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--memory-format", choices=list(models.FORMATS), default="channels_last")
    parser.add_argument("--optimizer-kernel", choices=["foreach", "fused"], default="foreach")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--iters", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    imported_kb = memory.current()

    layout = models.FORMATS[args.memory_format]
    model = models.build(args.model).to(memory_format=layout).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9,
                                **{args.optimizer_kernel: True})
    images = torch.randn(args.batch, *args.input).contiguous(memory_format=layout)
    labels = torch.randint(models.classes_of(model), (args.batch,))

    def loss_of(images, labels):
        with models.autocast(args.dtype):
            return torch.nn.functional.cross_entropy(model(images), labels)

    if args.mode == "compile":
        loss_of = torch.compile(loss_of)
    losses = []

    def step():
        loss = loss_of(images, labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.detach())

    timing = measure.time_rounds(step, args.warmup, args.iters, args.rounds, memory)
    measure.emit({
        "rival": "torch_train_step", "model": args.model, "input": list(args.input),
        "batch": args.batch, "dtype": args.dtype, "threads": args.threads, "mode": args.mode,
        "memory_format": args.memory_format, "optimizer": f"sgd momentum 0.9 {args.optimizer_kernel}",
        "parameters": models.parameter_count(model), **models.versions(),
        "first_loss": losses[0].item(), "last_loss": losses[-1].item(),
        "imported_rss_kb": imported_kb, **timing,
    })


if __name__ == "__main__":
    main()
