# SPDX-License-Identifier: Apache-2.0
"""The well-known small example in PyTorch: ResNet-18 on CIFAR-10 binary batches, 500 steps of AdamW.

ImageNet stem at 32x32, inputs scaled to [-1, 1], batch 32, constant rate, no augmentation.
Training order: all records shuffled anew each epoch, none used twice in one. One JSON line.
"""

import argparse
import pathlib
import time

import measure

memory = measure.PeakMemory()

import numpy  # noqa: E402
import torch  # noqa: E402
import torch_models as models  # noqa: E402

RECORD = 1 + 3 * 32 * 32


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=pathlib.Path,
                        help="folder with data_batch_*.bin and test_batch.bin")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--validate-every", type=int, default=100)
    parser.add_argument("--validation-batch", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=["f32", "f64", "bf16"], default="f32")
    parser.add_argument("--memory-format", choices=list(models.FORMATS), default="contiguous")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--optimizer-kernel", choices=["foreach", "fused"], default="fused")
    return parser.parse_args()


def read_records(paths):
    """Images as uint8 N x 3 x 32 x 32 and labels, in file order."""
    records = numpy.concatenate([numpy.fromfile(path, dtype=numpy.uint8).reshape(-1, RECORD)
                                 for path in paths])
    images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32))
    return images, torch.from_numpy(records[:, 0].astype(numpy.int64))


def batches(count, size, generator):
    """Index batches without end; an epoch's last batch may be short."""
    while True:
        yield from torch.randperm(count, generator=generator).split(size)


def make_optimizer(model, kernel):
    """Weight decay on weights only: norm scales, norm shifts and biases have one dimension."""
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.05},
        {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, **{kernel: True})


class Example:
    def __init__(self, args):
        torch.manual_seed(args.seed)
        self.args = args
        self.float = torch.float64 if args.dtype == "f64" else torch.float32
        self.layout = models.FORMATS[args.memory_format]
        self.train = read_records(sorted(args.data.glob("data_batch_*.bin")))
        self.test = read_records([args.data / "test_batch.bin"])
        self.model = models.build("resnet18", classes=10).to(dtype=self.float, memory_format=self.layout)
        self.forward = torch.compile(self.model) if args.mode == "compile" else self.model
        self.optimizer = make_optimizer(self.model, args.optimizer_kernel)

    def inputs(self, images):
        scaled = images.to(self.float).div_(255).sub_(0.5).div_(0.5)
        return scaled.contiguous(memory_format=self.layout)

    def step(self, index):
        images, labels = self.train
        with models.autocast(self.args.dtype):
            logits = self.forward(self.inputs(images[index]))
            loss = torch.nn.functional.cross_entropy(logits, labels[index])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        correct = 0
        size = self.args.validation_batch
        for images, labels in zip(self.test[0].split(size), self.test[1].split(size)):
            with models.autocast(self.args.dtype):
                correct += (self.forward(self.inputs(images)).argmax(1) == labels).sum().item()
        self.model.train()
        return correct / len(self.test[1])


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    disturbance = measure.Disturbance()
    example = Example(args)
    order = batches(len(example.train[1]), args.batch, torch.Generator().manual_seed(args.seed))

    losses, accuracies = [], {}
    step_seconds = 0.0
    for number in range(1, args.steps + 1):
        begin = time.perf_counter()
        losses.append(example.step(next(order)))
        step_seconds += time.perf_counter() - begin
        if number == 1:
            first_step_end = measure.seconds_since_start()
        if number % args.validate_every == 0 or number == args.steps:
            accuracies[number] = example.validate()
    total = measure.seconds_since_start()
    measure.emit({
        "rival": "torch_small_example", "seed": args.seed, "steps": args.steps, "batch": args.batch,
        "threads": args.threads, "dtype": args.dtype, "mode": args.mode,
        "memory_format": args.memory_format, "optimizer": f"adamw {args.optimizer_kernel}",
        **models.versions(), "accuracy": accuracies[args.steps], "validation": accuracies,
        "losses": [round(loss, 6) for loss in losses],
        "total_s": round(total, 3), "steps_s": round(step_seconds, 3),
        "start_to_first_step_end_s": round(first_step_end, 3),
        **memory.report(), **disturbance.take(),
    })


if __name__ == "__main__":
    main()
