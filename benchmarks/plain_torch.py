"""The networks of configs/cifar10.yaml and benchmarks/modern.yaml in plain PyTorch at its best on a processor.

channels_last, bfloat16 autocast where asked for, images in memory, no augmentation. Needs torch.

Usage: python benchmarks/plain_torch.py plain|modern float32|bfloat16 [CIFAR10_FOLDER EPOCHS SEED]

Without a folder the pace on random images is measured; with one, the network is trained on CIFAR-10 and scored.
"""

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional


def plain() -> nn.Module:
    layers: list[nn.Module] = []
    for before, filters in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 128), nn.ReLU(), nn.Linear(128, 10))


def modern() -> nn.Module:
    layers: list[nn.Module] = []
    for before, filters in ((3, 32), (32, 64), (64, 128), (128, 256)):
        conv = nn.Conv2d(before, filters, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(filters), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 2))


def read(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    import cv2
    import numpy as np

    images, labels = [], []
    for number, name in enumerate(sorted(path.name for path in folder.iterdir())):
        for file in sorted((folder / name).iterdir()):
            images.append(cv2.imread(str(file))[:, :, ::-1])
            labels.append(number)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), torch.tensor(labels)


def main(kind: str, precision: str, folder: str | None = None, epochs: int = 1, seed: int = 0) -> None:
    begun = time.perf_counter()
    torch.manual_seed(seed)
    size, batch = (32, 128) if kind == "plain" else (96, 64)
    if folder is None:
        images = torch.randint(
            0, 256, (batch * 60 if kind == "plain" else batch * 12, 3, size, size), dtype=torch.uint8
        )
        labels = torch.randint(0, 2, (len(images),))
        epochs = 3
    else:
        images, labels = read(Path(folder) / "train")
    model = (plain() if kind == "plain" else modern()).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters())
    autocast = torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else nullcontext()
    speeds = []
    for _ in range(epochs):
        started = time.perf_counter()
        order = torch.randperm(len(images))
        for rows in order.split(batch):
            pixels = images[rows].float().div_(255).to(memory_format=torch.channels_last)
            with autocast:
                answers = model(pixels)
            loss = functional.cross_entropy(answers.float(), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        speeds.append(len(images) / (time.perf_counter() - started))
    result = {"images_per_second": speeds}
    if folder is not None:
        images, labels = read(Path(folder) / "test")
        with torch.no_grad(), autocast:
            answers = [model(pixels.float().div_(255)).argmax(1) for pixels in images.split(500)]
        result["accuracy"] = (torch.cat(answers) == labels).float().mean().item()
        torch.save(model.state_dict(), "plain_torch.pt")
    print(json.dumps({**result, "seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    kind, precision, *rest = sys.argv[1:]
    if rest:
        main(kind, precision, rest[0], int(rest[1]), int(rest[2]))
    else:
        main(kind, precision)
