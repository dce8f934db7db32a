"""The loss on the line between the weights of two runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.drawing.loss_surface import draw_loss_line
from dlcourse.drawing.text import value_label
from dlcourse.errors import UserError
from dlcourse.look.request import model_folder
from dlcourse.look.run_parts import PART_TEXT, RunParts, has_batch_norm, loss_function
from dlcourse.look.subject import Drawing, Subject
from dlcourse.schema.run_files import BEST_WEIGHTS
from dlcourse.terminal.installed import short_path
from dlcourse.terminal.live_line import working
from dlcourse.train.checkpoint import read_checkpoint

LONGEST_PATH = 70
ENDS = (-0.25, 1.25)


def draw_between_runs(subject: Subject, parts: RunParts, options: Mapping[str, Any]) -> Drawing:
    """Draw the loss with the weights a + s (b - a) of two runs, for s around 0 to 1.

    The running statistics of batch norm are mixed in the same way, so that each end has its own.

    Reference: Goodfellow, Vinyals, Saxe, "Qualitatively characterizing neural network optimization
    problems", ICLR 2015; Frankle et al., "Linear mode connectivity and the lottery ticket
    hypothesis", ICML 2020, for the barrier.
    """
    other = Path(options["with"])
    first = {name: value.clone() for name, value in subject.network.state_dict().items()}
    second = matching_weights(first, subject.folder, other)
    along = np.linspace(*ENDS, 4 * (options["points"] // 2) + 1)
    along = np.unique(np.append(along, (0.0, 1.0)))
    losses: dict[str, np.ndarray] = {}
    for name in ("train", "test"):
        some = parts.some(name, options["examples"], options["seed"])
        loss = loss_function(subject, parts, some)
        values = []
        try:
            with working(f"computing {len(along)} losses", len(along)) as advance:
                for share in along:
                    subject.network.load_state_dict(mixed_weights(first, second, float(share)))
                    values.append(loss())
                    advance(1)
        finally:
            subject.network.load_state_dict(first)
        losses[f"{PART_TEXT[name]} part, {len(some):,} examples"] = np.array(values)
    names = [value_label(short_path(folder), LONGEST_PATH) for folder in (subject.folder, other)]
    train = next(iter(losses.values()))
    barrier = height_of_barrier(along, train)
    figure = draw_loss_line(
        along, losses, ends=("A", "B"), name="share of the way from A to B",
        title=f"Loss between two runs, barrier {barrier:.3g}\nA: {names[0]}\nB: {names[1]}",
    )  # fmt: skip
    ends = [float(train[along == place][0]) for place in (0, 1)]
    mixing = (
        "; the statistics of batch norm are mixed too" if has_batch_norm(subject.network) else ""
    )
    seen = (
        f"The training loss is {ends[0]:.3g} and {ends[1]:.3g} at the two ends, and at most "
        f"{barrier:.3g} above the straight line between them{mixing}"
    )
    return Drawing(options["with"], [figure], seen, line_art=True)


def matching_weights(first: Mapping[str, Tensor], folder: Path, other: Path) -> dict[str, Tensor]:
    """Return the best weights of another run; raises UserError if they are of another model."""
    place, _ = model_folder(other, "")
    second = read_checkpoint(place / BEST_WEIGHTS)["model"]
    unlike = [
        name
        for name in {**first, **second}
        if name not in first or name not in second or first[name].shape != second[name].shape
    ]
    if unlike:
        raise UserError(
            f"with={short_path(other)} has another model: {unlike[0]} is not in both runs with the "
            f"same shape.\nType with=<a run with the model of {short_path(folder)}>"
        )
    return {name: second[name].to(value.device) for name, value in first.items()}


def mixed_weights(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Return first + share (second - first) of each tensor of floats; others are the first's."""
    return {
        name: torch.lerp(value, second[name], share) if value.is_floating_point() else value
        for name, value in first.items()
    }


def height_of_barrier(along: np.ndarray, losses: np.ndarray) -> float:
    """Return how far the losses rise above the straight line between those at 0 and at 1."""
    between = (along >= 0) & (along <= 1)
    start, end = losses[along == 0][0], losses[along == 1][0]
    return float((losses - (start + along * (end - start)))[between].max())
