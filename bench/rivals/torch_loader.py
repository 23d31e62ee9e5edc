# SPDX-License-Identifier: Apache-2.0
"""Loading 224-pixel training crops with torchvision's DataLoader, alone or beside the training of ResNet-18. One JSON line.

RandomResizedCrop, horizontal flip, normalisation, shuffled, from a folder of class folders. Decoders: `pil` (ImageFolder's
default and the classic transforms), `pil_v2` (the v2 transforms behind Pillow), `tensor` (torchvision.io's libjpeg-turbo and v2
transforms on uint8 tensors). Samples are windows of several batches, in milliseconds a batch.
"""

import argparse
import itertools
import os
import resource
import time

CORES = os.sched_getaffinity(0)          # env.sh pins this process to one of them when OpenMP starts; workers would inherit it

import measure  # noqa: E402

memory = measure.PeakMemory()

import torch  # noqa: E402
import torch_models as models  # noqa: E402
import torchvision  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--decoder", choices=["pil", "pil_v2", "tensor"], default="tensor")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--prefetch", type=int, default=4)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--train", action="store_true", help="ResNet-18, SGD with momentum, on what is loaded")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--memory-format", choices=list(models.FORMATS), default="channels_last")
    parser.add_argument("--optimizer-kernel", choices=["foreach", "fused"], default="fused")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=8, help="batches")
    parser.add_argument("--batches", type=int, default=64)
    parser.add_argument("--window", type=int, default=8)
    return parser.parse_args()


def read_tensor(path):
    return torchvision.io.decode_image(torchvision.io.read_file(path), mode=torchvision.io.ImageReadMode.RGB)


def data_set(args):
    crop = {"pil": torchvision.transforms.RandomResizedCrop}.get(args.decoder, v2.RandomResizedCrop)(args.size, antialias=True)
    if args.decoder == "pil":
        t = torchvision.transforms
        steps = t.Compose([crop, t.RandomHorizontalFlip(), t.ToTensor(), t.Normalize(MEAN, STD)])
        return torchvision.datasets.ImageFolder(args.data, transform=steps)
    steps = [crop, v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    if args.decoder == "pil_v2":
        return torchvision.datasets.ImageFolder(args.data, transform=v2.Compose([*steps[:2], v2.ToImage(), *steps[2:]]))
    return torchvision.datasets.ImageFolder(args.data, transform=v2.Compose(steps), loader=read_tensor)


def unpin(_worker):
    os.sched_setaffinity(0, CORES)


def endless(loader):
    while True:
        yield from loader


def training_step(args):
    layout = models.FORMATS[args.memory_format]
    model = models.build("resnet18").to(memory_format=layout).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, **{args.optimizer_kernel: True})

    def loss_of(images, labels):
        return torch.nn.functional.cross_entropy(model(images), labels)

    if args.mode == "compile":
        loss_of = torch.compile(loss_of)

    def step(images, labels):
        loss = loss_of(images.contiguous(memory_format=layout), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def preemptions():
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    loader = torch.utils.data.DataLoader(data_set(args), batch_size=args.batch, shuffle=True, drop_last=True, num_workers=args.workers,
                                         persistent_workers=True, prefetch_factor=args.prefetch, worker_init_fn=unpin)
    use = training_step(args) if args.train else lambda images, labels: None
    samples, counts = [], []
    begin, switches = time.perf_counter(), preemptions()
    for number, (images, labels) in enumerate(itertools.islice(endless(loader), args.warmup + args.batches), 1):
        use(images, labels)
        done = number - args.warmup
        if done >= 0 and done % args.window == 0:
            now = time.perf_counter()
            if done:
                samples.append(round((now - begin) * 1e3 / args.window, 4))
                counts.append(preemptions() - switches)
            begin, switches = now, preemptions()
    middle = sorted(samples)[len(samples) // 2]
    measure.emit({"rival": "torch_loader", "mode": "train" if args.train else "load", "decoder": args.decoder, "workers": args.workers,
                  "batch_size": args.batch, "median_ms": middle, "images_per_second": round(args.batch / middle * 1e3, 2), "samples_ms": samples,
                  "nivcsw": counts, "window_batches": args.window, **models.versions(), **memory.report()})


if __name__ == "__main__":
    main()
