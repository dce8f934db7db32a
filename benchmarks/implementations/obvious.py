"""A simple loop over tensors: images in memory, normalised batch by batch, nothing optimised."""

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.implementations.task import Task
from benchmarks.options import Options
from benchmarks.workloads import BATCH, Workload

SHIFT = 4  # pixels


class Implementation(Task):
    """uint8 images, float() / 255, NCHW, zero_grad first; the loss is read once an epoch."""

    def __init__(self, workload: Workload, options: Options, overrides: tuple[str, ...]) -> None:
        super().__init__(workload, options)
        self.net.to(self.device)
        self.update = self.optimizer()
        self.images, self.labels = self.images.to(self.device), self.labels.to(self.device)
        self.mean = self.mean.view(-1, 1, 1).to(self.device)
        self.std = self.std.view(-1, 1, 1).to(self.device)

    def epoch(self, number: int) -> None:
        """Train once over all images."""
        self.net.train()
        total = torch.zeros((), device=self.device)
        for index in torch.randperm(len(self.labels), device=self.device).split(BATCH):
            self.update.zero_grad()
            inputs = self.images[index].float() / 255
            if self.workload.augment:
                inputs = crop_and_flip(inputs)
            inputs = (inputs - self.mean) / self.std
            targets = self.labels[index]
            loss = F.cross_entropy(self.net(inputs), targets)
            loss.backward()
            self.update.step()
            total += loss.detach() * len(targets)
        total.item()


def crop_and_flip(inputs: Tensor) -> Tensor:
    """Shift each image (N, C, H, W) by up to 4 pixels, padded with zeros; flip half of them."""
    count, channels, height, width = inputs.shape
    device = inputs.device
    padded = F.pad(inputs, [SHIFT] * 4)
    top, left = torch.randint(2 * SHIFT + 1, (2, count, 1), device=device)
    rows = top + torch.arange(height, device=device)  # (N, H)
    columns = left + torch.arange(width, device=device)  # (N, W)
    image = torch.arange(count, device=device).view(-1, 1, 1, 1)
    channel = torch.arange(channels, device=device).view(1, -1, 1, 1)
    cropped = padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
    mirrored = torch.rand(count, device=device) < 0.5
    return torch.where(mirrored.view(-1, 1, 1, 1), cropped.flip(-1), cropped)
