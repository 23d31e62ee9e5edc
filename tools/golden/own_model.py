# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/own_model.txt: what examples/own_model.c must print, from PyTorch in float64.

    python3 tools/golden/own_model.py > tests/golden/own_model.txt
"""

import torch

N, CLASSES, SIDE = 6, 4, 8


class Body(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False)
        self.bn = torch.nn.BatchNorm2d(16)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.body = Body()
        self.head = torch.nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.body(torch.nn.functional.silu(self.stem(x)))
        return self.head(x.mean((2, 3)))


def focal_loss(scores, truth):
    log_p = (torch.log_softmax(scores, 1) * truth).sum(1)
    return -((1 - log_p.exp()) ** 2 * log_p).sum()


def main():
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    model = Model()
    for name, p in model.named_parameters():
        if ".bn." not in name:
            i = torch.arange(p.numel(), dtype=torch.float64)
            p.data.copy_((0.3 * torch.sin(0.7 * i + p.numel())).reshape(p.shape))
    i = torch.arange(N * 3 * SIDE * SIDE, dtype=torch.float64)
    x = torch.sin(0.1 * i + 0.003 * (i % 7) * i).reshape(N, 3, SIDE, SIDE)
    truth = torch.nn.functional.one_hot(torch.arange(N) % CLASSES, CLASSES).to(torch.float64)

    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": weights, "weight_decay": 0.05},
                                   {"params": others, "weight_decay": 0.0}], lr=0.01)
    print("gradient within 1e-8 of central differences: yes")
    for step in range(10):
        loss = focal_loss(model(x), truth) / N
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step} loss {loss.item():.12f}")


if __name__ == "__main__":
    main()
