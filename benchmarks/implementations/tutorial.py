"""The loop of PyTorch's tutorials: transforms for each image, and a DataLoader."""

from collections.abc import Callable

from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

from benchmarks.implementations.task import Task
from benchmarks.options import Options
from benchmarks.workloads import BATCH, Workload


class Images(TorchDataset):
    """A data set on arrays (N, H, W) or (N, H, W, 3), like torchvision's MNIST and CIFAR10.

    An example is an image, converted to PIL and transformed, and its class.
    """

    def __init__(self, images: Tensor, labels: Tensor, transform: Callable) -> None:
        grey = images.shape[1] == 1
        self.data = (images[:, 0] if grey else images.permute(0, 2, 3, 1)).contiguous().numpy()
        self.targets = labels.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.data[index])), self.targets[index]


def loader(task: Task) -> DataLoader:
    """Return a DataLoader as in the tutorials, without workers."""
    steps: list[Callable] = []
    if task.workload.augment:
        steps += [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    mean, std = task.mean.tolist(), task.std.tolist()
    steps += [transforms.ToTensor(), transforms.Normalize(mean, std)]
    images = Images(task.images, task.labels, transforms.Compose(steps))
    return DataLoader(images, batch_size=BATCH, shuffle=True)


class Implementation(Task):
    """Trains as the tutorials do, with ``loss.item()`` in every step."""

    def __init__(self, workload: Workload, options: Options, overrides: tuple[str, ...]) -> None:
        super().__init__(workload, options)
        self.net.to(self.device)
        self.update = self.optimizer()
        self.criterion = nn.CrossEntropyLoss()
        self.loader = loader(self)

    def epoch(self, number: int) -> None:
        """Train once over all images."""
        self.net.train()
        running_loss = 0.0
        for inputs, labels in self.loader:
            inputs, labels = inputs.to(self.device), labels.to(self.device)
            self.update.zero_grad()
            loss = self.criterion(self.net(inputs), labels)
            loss.backward()
            self.update.step()
            running_loss += loss.item()
