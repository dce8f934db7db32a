"""Compare an exported model with the run's model on the same inputs."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from dlcourse.core import Split
from dlcourse.errors import UserError
from dlcourse.permutations import generator
from dlcourse.random_streams import Purpose

VERIFIED_EXAMPLES = 256  # inputs that are compared
BATCHES = (1, 7, 64)  # sizes of the first batches; the last one has the rest

Predictor = Callable[[Tensor], Tensor]
"""Takes raw inputs (N, ...), returns predictions (N, K)."""


class Verification(NamedTuple):
    """The largest difference of two models' predictions, over examples in batches of some sizes.

    relative: whether it is relative to the largest value, as for regressions that predict values
    beyond 1.
    """

    difference: float
    examples: int
    batches: list[int]
    relative: bool

    def text(self) -> str:
        """Return the difference as text, with its unit."""
        unit = "of the largest value" if self.relative else "of probability"
        return f"{self.difference:.1e} {unit}"


def compare_predictions(
    exported: Predictor, reference: Tensor, inputs: Tensor, task: str
) -> Verification:
    """Predictor batch by batch, and compare with the reference (N, K).

    Raises UserError if the exported model fails for a batch.
    """
    found, sizes = [], []
    for batch in in_batches(inputs):
        try:
            with torch.no_grad():
                made = exported(batch)
        except Exception as error:  # each library has its own types
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise UserError(
                f"it fails for a batch of {len(batch)}: {lines[-1]} (in a model's code, "
                "inputs.shape[0] lets the number of examples vary, and len(inputs) may fix it)"
            ) from error
        found.append(made)
        sizes.append(len(batch))
    made = torch.cat(found).double()
    if made.shape != reference.shape:
        raise UserError(f"it returns {tuple(made.shape)} in place of {tuple(reference.shape)}")
    scale = largest_of(reference) if task == "regression" else 1.0
    reference = reference.double()
    apart = (made - reference).abs().nan_to_num(nan=torch.inf)
    apart[made.isnan() & reference.isnan()] = 0.0  # rows with missing cells
    difference = float(apart.max()) / scale
    return Verification(difference, len(inputs), sizes, task == "regression")


def largest_of(values: Tensor) -> float:
    """Return the largest absolute value; 1 if all are 0."""
    return float(values.nan_to_num().abs().max()) or 1.0


def in_batches(inputs: Tensor) -> Iterator[Tensor]:
    """Yield the inputs in batches of 1, 7, 64 and the rest."""
    start = 0
    for size in (*BATCHES, len(inputs)):
        if start < len(inputs):
            yield inputs[start : start + size]
        start += size


def some_of(part: Split) -> Tensor:
    """Return at most 256 raw inputs of a part, spread over it."""
    count = min(VERIFIED_EXAMPLES, len(part))
    chosen = torch.linspace(0, len(part) - 1, count).round().long()
    return part.fetch(chosen.to(part.device))[0].cpu()


def random_inputs(shape: tuple[int, ...], mean: Tensor, scale: Tensor) -> Tensor:
    """Return 256 random raw inputs: uint8 images, or features of the training part's moments.

    mean, scale: of the standardisation, (D,) or one number.
    """
    draw = generator(0, Purpose.EXPORT)
    if len(shape) == 3:
        return torch.randint(0, 256, (VERIFIED_EXAMPLES, *shape), generator=draw, dtype=torch.uint8)
    noise = torch.randn(VERIFIED_EXAMPLES, *shape, generator=draw)
    return (mean + (noise / scale if scale.dim() < 2 else noise)).to(mean.dtype)
