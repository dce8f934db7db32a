"""Train an MLP on images of MNIST in plain PyTorch: python bare_memory.py <folder> <images>."""

import gzip
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def read(folder: Path, name: str, header: int) -> np.ndarray:
    """Return the bytes of an IDX file after its header; the file may be compressed."""
    plain = folder / name
    content = (
        plain.read_bytes()
        if plain.exists()
        else gzip.decompress((folder / f"{name}.gz").read_bytes())
    )
    return np.frombuffer(content, np.uint8, offset=header)


def main(root: str, count: int) -> None:
    """Train one epoch and test, as ``train.py`` does at ``max_epochs=1``."""
    raw = Path(root) / "MNIST/raw"
    parts = []
    for name in ("train", "t10k"):
        images = torch.from_numpy(read(raw, f"{name}-images-idx3-ubyte", 16).copy())
        labels = torch.from_numpy(read(raw, f"{name}-labels-idx1-ubyte", 8).copy()).long()
        parts.append((images.view(-1, 784), labels))
    (inputs, targets), (test, test_targets) = parts
    inputs, targets = inputs[:count].clone(), targets[:count].clone()
    mean, std = 33.3, 78.6
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(model.parameters())
    for index in torch.randperm(count).split(128):
        loss = F.cross_entropy(model((inputs[index].float() - mean) / std), targets[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        hits = sum(
            (model((x.float() - mean) / std).argmax(1) == y).sum().item()
            for x, y in zip(test.split(512), test_targets.split(512), strict=True)
        )
    print(f"test accuracy {hits / len(test):.4f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
