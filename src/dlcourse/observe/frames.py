"""Record the boundary or the fitted curve after epochs, and draw them as an animation."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from dlcourse import atomic_files
from dlcourse.core import FinalTest, Fold, Recipe
from dlcourse.introspect.classification import true_class
from dlcourse.introspect.grid import outputs_on_a_line, outputs_on_a_plane, predictor
from dlcourse.introspect.linear_map import feature_names
from dlcourse.observe.trajectory import interval_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRAMES_FOLDER = "frames"  # the folder of the recorded epochs, in that of the plots
MOST_FRAMES = 40
FRAME_SIDE = 96  # points of a side of the plane
FRAME_SECONDS = 0.2  # per frame

log = logging.getLogger(__name__)


class Frames:
    """Records what a model predicts over the plane, or the line, of its inputs after epochs.

    There are at most about 40 frames: whenever there would be more, every second one is removed.
    Which epochs are kept depends on the epoch alone, so that a resumed run has the same frames.

    folder: where ``frames/`` is made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FRAMES_FOLDER
        self.used = False

    def start(self, model: nn.Module, recipe: Recipe, fold: Fold, done: int) -> None:
        """Record a new model, and forget what was recorded after the epoch to resume from.

        done: the number of epochs that are done. Logs a warning for data without an animation.
        """
        self.recipe, self.fold = recipe, fold
        self.name = animated(fold)
        self.used = self.name is not None
        if not self.used:
            log.warning(
                "observe.plots.animation=true draws classifiers of two features, and regressions "
                "of one input and one output; these data have no animation"
            )
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for epoch, path in self.stored():
            if epoch > done:
                path.unlink()
        if done == 0:
            self.record(model, 0)

    def record(self, model: nn.Module, epoch: int) -> None:
        """Record the model after an epoch, if it is one of those that are kept."""
        if not self.used:
            return
        interval = interval_of(epoch, MOST_FRAMES)
        for earlier, path in self.stored():
            if earlier % interval:
                path.unlink()
        if epoch % interval == 0:
            predict = predictor(model, self.fold.standardize, self.recipe)
            inputs = self.fold.train.inputs.cpu()
            if self.name == "boundary":
                (x, y), outputs = outputs_on_a_plane(predict, inputs, FRAME_SIDE)
                made = {"x": x, "y": y, "outputs": outputs}
            else:
                x, outputs = outputs_on_a_line(predict, inputs)
                made = {"x": x, "outputs": outputs}
            atomic_files.save_arrays(self.folder / f"{epoch:06}.npz", **made)

    def stored(self) -> list[tuple[int, Path]]:
        """Return the recorded epochs and their files, the earliest first."""
        return [(int(path.stem), path) for path in sorted(self.folder.glob("[0-9]*.npz"))]

    def draw(self, test: FinalTest) -> "Iterator[Figure]":
        """Yield a figure for each recorded epoch."""
        for epoch, path in self.stored():
            made = atomic_files.load_arrays(path)
            title = f"{test.dataset.name}: after epoch {epoch}"
            draw = draw_boundary_frame if self.name == "boundary" else draw_curve_frame
            yield draw(made, self.fold, test, title)


def animated(fold: Fold) -> str | None:
    """Return what an animation of these data shows, ``boundary`` or ``fit``; None for nothing."""
    shape, targets = tuple(fold.train.inputs.shape[1:]), fold.train.targets
    if shape == (2,) and not targets.is_floating_point():
        return "boundary"
    if shape == (1,) and targets.is_floating_point() and tuple(targets.shape[1:]) == (1,):
        return "fit"
    return None


def draw_boundary_frame(made: dict, fold: Fold, test: FinalTest, title: str) -> "Figure":
    """Draw the decision regions of one epoch with the training examples."""
    from dlcourse.drawing.boundary import Points, draw_boundary

    probabilities = torch.from_numpy(made["outputs"]).double().softmax(-1).numpy()
    classes = true_class(fold.train.targets).cpu().numpy()
    points = [Points("train", fold.train.inputs.cpu().numpy(), classes)]
    names, dataset = feature_names(test.dataset), test.dataset
    sides = made["x"], made["y"]
    return draw_boundary(sides, probabilities, points, dataset.classes, features=names, title=title)


def draw_curve_frame(made: dict, fold: Fold, test: FinalTest, title: str) -> "Figure":
    """Draw the fitted curve of one epoch with the training examples."""
    from dlcourse.drawing.fitted_curve import draw_fitted_curve

    x, truth = made["x"], test.dataset.truth
    true = None if truth is None else truth(torch.from_numpy(x)[:, None])[:, 0].numpy()
    points = [
        ("train", fold.train.inputs.cpu().numpy()[:, 0], fold.train.targets.cpu().numpy()[:, 0])
    ]
    names = (feature_names(test.dataset)[0], "t")
    return draw_fitted_curve(x, made["outputs"][:, 0], points, truth=true, names=names, title=title)
