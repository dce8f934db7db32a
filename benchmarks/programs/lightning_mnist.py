"""LeNet-5 on MNIST with Lightning: python lightning_mnist.py <folder> <epochs>."""

import sys

import lightning as L  # pyright: ignore[reportMissingImports]
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from tutorial_mnist import LeNet


class Digits(L.LightningModule):
    """LeNet-5 with its loss, its optimizer and its test."""

    def __init__(self) -> None:
        super().__init__()
        self.net = LeNet()

    def training_step(self, batch, number):
        """Return the loss of a batch."""
        inputs, labels = batch
        return F.cross_entropy(self.net(inputs), labels)

    def test_step(self, batch, number) -> None:
        """Log the accuracy of a batch."""
        inputs, labels = batch
        accuracy = (self.net(inputs).argmax(1) == labels).float().mean()
        self.log("test accuracy", accuracy, batch_size=len(labels))

    def configure_optimizers(self):
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), lr=0.001)


def main(root: str, epochs: int) -> None:
    """Train, then test once."""
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    )
    train = datasets.MNIST(root, train=True, transform=transform)
    test = datasets.MNIST(root, train=False, transform=transform)
    trainer = L.Trainer(
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = Digits()
    trainer.fit(module, DataLoader(train, batch_size=128, shuffle=True))
    trainer.test(module, DataLoader(test, batch_size=512), verbose=False)
    print(f"test accuracy {float(trainer.callback_metrics['test accuracy']):.4f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
