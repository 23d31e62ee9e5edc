# SPDX-License-Identifier: Apache-2.0
"""Time of one inference call in PyTorch: eval mode, no gradients. One JSON line."""

import argparse

import measure

memory = measure.PeakMemory()

import torch  # noqa: E402
import torch._inductor.config as inductor  # noqa: E402
import torch_models as models  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=["resnet18", "resnet18_cifar"], default="resnet18")
    parser.add_argument("--input", type=models.parse_shape, default=(3, 224, 224), metavar="CxHxW")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mode", choices=["eager", "compile", "freeze"], default="eager",
                        help="freeze = compile with constant weights: folds batch norm, packs weights")
    parser.add_argument("--memory-format", choices=list(models.FORMATS), default="channels_last")
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--iters", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    imported_kb = memory.current()

    layout = models.FORMATS[args.memory_format]
    model = models.build(args.model).to(memory_format=layout).eval()
    images = torch.randn(args.batch, *args.input).contiguous(memory_format=layout)
    parameters = models.parameter_count(model)

    if args.mode == "freeze":
        inductor.freezing = True
    forward = model if args.mode == "eager" else torch.compile(model)

    def infer():
        with torch.no_grad(), models.autocast(args.dtype):
            forward(images)

    timing = measure.time_rounds(infer, args.warmup, args.iters, args.rounds, memory)
    measure.emit({
        "rival": "torch_infer", "model": args.model, "input": list(args.input), "batch": args.batch,
        "dtype": args.dtype, "threads": args.threads, "mode": args.mode,
        "memory_format": args.memory_format, "parameters": parameters, **models.versions(),
        "imported_rss_kb": imported_kb, **timing,
    })


if __name__ == "__main__":
    main()
