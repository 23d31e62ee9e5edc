# SPDX-License-Identifier: Apache-2.0
"""configs/demo.json in PyTorch: torchvision's ResNet-18 on the class folders of `fovea synth planes`, from start to test accuracy.

Same pictures, batch, epochs, augmentation, optimizer, schedule, smoothing and moving average; ImageFolder, torchvision
transforms and a DataLoader with worker processes. Validates after each epoch, then tests. One JSON line.
"""

import argparse
import json
import pathlib
import time

import measure

memory = measure.PeakMemory()

import torch  # noqa: E402
import torch_models as models  # noqa: E402
from torchvision import datasets, transforms  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=pathlib.Path, help="folder with train, val and test")
    parser.add_argument("--settings", required=True, help="the resolved configuration: fovea config configs/demo.json")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory-format", choices=list(models.FORMATS), default="contiguous")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--optimizer-kernel", choices=["foreach", "fused"], default="fused")
    return parser.parse_args()


def loader(args, config, split):
    """The loader's batches; pictures are of the right size already."""
    augment, finish = config["augment"], [transforms.ToTensor(), transforms.Normalize(**config["normalize"])]
    steps = []
    if split == "train":
        size = config["image_size"]
        if augment["pad_crop"]:
            steps.append(transforms.RandomCrop(size, padding=augment["pad_crop"]))
        steps += [transforms.RandomHorizontalFlip(augment["horizontal_flip"]), transforms.RandomVerticalFlip(augment["vertical_flip"])]
    data = datasets.ImageFolder(args.data / split, transforms.Compose(steps + finish))
    return torch.utils.data.DataLoader(data, batch_size=config["batch_size"], shuffle=split == "train", num_workers=args.workers,
                                       persistent_workers=args.workers > 0)


def make_optimizer(model, config, kernel):
    """Weight decay on weights only: norm scales, norm shifts and biases have one dimension."""
    groups = [{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": config["weight_decay"]},
              {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config["learning_rate"], betas=tuple(config["betas"]), eps=config["eps"], **{kernel: True})


class Demo:
    def __init__(self, args, config):
        torch.manual_seed(args.seed)
        self.config, self.args = config, args
        self.layout = models.FORMATS[args.memory_format]
        self.train, self.val, self.test = (loader(args, config, split) for split in ("train", "val", "test"))
        self.model = models.build("resnet18", classes=len(self.train.dataset.classes)).to(memory_format=self.layout)
        self.forward = torch.compile(self.model) if args.mode == "compile" else self.model
        self.optimizer = make_optimizer(self.model, config, args.optimizer_kernel)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, config["learning_rate"], total_steps=config["epochs"] * len(self.train),
                                                            cycle_momentum=False)
        self.average = torch.optim.swa_utils.AveragedModel(self.model, use_buffers=True, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(
            config["ema_decay"]))

    def epoch(self):
        config, images = self.config, 0
        for pictures, labels in self.train:
            logits = self.forward(pictures.contiguous(memory_format=self.layout))
            loss = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=config["loss"]["label_smoothing"])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config["max_grad_norm"])
            self.optimizer.step()
            self.schedule.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.average.update_parameters(self.model)
            loss.item()
            images += len(labels)
        return images

    @torch.no_grad()
    def accuracy(self, data):
        self.average.eval()
        right = sum((self.average(pictures.contiguous(memory_format=self.layout)).argmax(1) == labels).sum().item() for pictures, labels in data)
        return right / len(data.dataset)


def main():
    args = arguments()
    config = json.loads(args.settings)
    torch.set_num_threads(args.threads)
    disturbance = measure.Disturbance()
    demo = Demo(args, config)
    images, validation, train_seconds = 0, [], 0.0
    for _ in range(config["epochs"]):
        begin = time.perf_counter()
        images += demo.epoch()
        train_seconds += time.perf_counter() - begin
        validation.append(demo.accuracy(demo.val))
    accuracy = demo.accuracy(demo.test)
    measure.emit({
        "rival": "torch_demo", "seed": args.seed, "threads": args.threads, "workers": args.workers, "mode": args.mode,
        "memory_format": args.memory_format, "optimizer": f"{config['optimizer']} {args.optimizer_kernel}", **models.versions(),
        "accuracy": accuracy, "validation": validation, "train_images": images, "images_per_second": round(images / train_seconds, 1),
        "train_s": round(train_seconds, 3), "total_s": round(measure.seconds_since_start(), 3), **memory.report(), **disturbance.take(),
    })


if __name__ == "__main__":
    main()
