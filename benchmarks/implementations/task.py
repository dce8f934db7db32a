"""The common parts of the other implementations: network, optimizer and images."""

import torch
from torch import nn

from benchmarks.nets import count, make_net
from benchmarks.options import Options
from benchmarks.workloads import Workload, compose_workload, load_images
from dlcourse.data.transforms import standardize
from dlcourse.timing.training import device_of, initial_model


class Task:
    """Images in memory, and a network with dlcourse's initial weights.

    mean, std: (C,), those of the training images scaled to [0, 1].
    """

    def __init__(self, workload: Workload, options: Options) -> None:
        self.workload = workload
        self.device = device_of(options.device)
        self.dataset = load_images(workload, options)
        self.images, self.labels = self.dataset.train.inputs, self.dataset.train.targets
        map_ = standardize(self.dataset.train, "channel")
        self.mean, self.std = map_.mean.flatten() / 255, 1 / map_.scale.flatten() / 255
        ours = initial_model(compose_workload(workload, options), self.dataset)
        self.net: nn.Module = make_net(workload.name, ours)
        self.expected = count(ours)
        if count(self.net) != self.expected:
            raise ValueError(f"{workload.name}: {count(self.net)} parameters, not {self.expected}")

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return self.expected

    def optimizer(self) -> torch.optim.Optimizer:
        """Return the workload's optimizer with PyTorch's default options."""
        if self.workload.optim == "adam":
            return torch.optim.Adam(self.net.parameters(), lr=self.workload.rate)
        return torch.optim.SGD(
            self.net.parameters(), lr=self.workload.rate, momentum=0.9, nesterov=True
        )
