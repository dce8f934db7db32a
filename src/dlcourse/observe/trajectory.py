"""The weights of a run over its epochs, for the loss surface with the path of training."""

from pathlib import Path

import torch
from torch import nn

from dlcourse import atomic_files
from dlcourse.core import Fold, Observer, Recipe, State
from dlcourse.schema.run_files import TRAJECTORY

HALF_LIMIT = 65504.0  # the largest number of float16


class WeightTrajectory(Observer):
    """Writes the weights before the first epoch and after epochs, in half precision.

    ``dlcourse look what=surface directions=path`` reads them. There are never more than about
    ``copies`` files: whenever there would be more, every second one is removed, and from then on
    only every second, fourth ... epoch is written. A file takes 2 bytes for each weight, and all of
    them at most ``megabytes``. Which epochs are kept depends on the epoch alone, so that a resumed
    run has the same files.

    copies: at least 2. megabytes: of all files together; a model that is too large for three copies
        fails, and the run continues without this observer.
    """

    def __init__(self, folder: Path, *, copies: int, megabytes: float) -> None:
        self.folder = folder / TRAJECTORY
        self.copies, self.megabytes = copies, megabytes

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        size = 2e-6 * sum(weight.numel() for weight in state.model.parameters())
        self.copies = min(self.copies, int(self.megabytes / size) - 1)
        if self.copies < 2:
            raise ValueError(
                f"three copies of the weights take {3 * size:.0f} MB, more than "
                f"observe.trajectory.megabytes={self.megabytes:g}"
            )
        self.folder.mkdir(exist_ok=True)
        done = len(state.history)
        for epoch, path in stored(self.folder).items():
            if epoch > done:  # written after the checkpoint that the run is resumed from
                path.unlink()
        if done == 0:
            self.write(state.model, 0)

    def epoch(self, state: State) -> None:
        epoch = state.history[-1].epoch
        interval = interval_of(epoch, self.copies)
        if epoch % interval == 0:
            self.write(state.model, epoch)
        for earlier, path in stored(self.folder).items():
            if earlier % interval:
                path.unlink()

    def write(self, model: nn.Module, epoch: int) -> None:
        """Write the weights of an epoch."""
        weights = torch.cat([weight.detach().reshape(-1) for weight in model.parameters()])
        kind = torch.float16 if weights.abs().max() < HALF_LIMIT else torch.float32
        content = {"epoch": epoch, "weights": weights.to(kind).cpu()}
        atomic_files.save_checked(self.folder / f"{epoch:06}.pt", content)


def interval_of(epoch: int, copies: int) -> int:
    """Return the distance of the kept epochs: the first power of 2 with at most ``copies`` of them.

    >>> [interval_of(epoch, 4) for epoch in (4, 5, 8, 9)]
    [1, 2, 2, 4]
    """
    interval = 1
    while epoch / interval > copies:
        interval *= 2
    return interval


def stored(folder: Path) -> dict[int, Path]:
    """Return the files of a folder by their epoch, the earliest first."""
    return {int(path.stem): path for path in sorted(folder.glob("[0-9]*.pt"))}
