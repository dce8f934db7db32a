"""Examples in proportion to their weights."""

from torch import Tensor

from dlcourse.core import Split
from dlcourse.permutations import generator
from dlcourse.random_streams import Purpose
from dlcourse.sampler.repeats import by_weight, shuffled


def weighted(train: Split, *, seed: int, epoch: int) -> Tensor:
    """Return N examples, each in proportion to its weight in the data, in random order.

    The weights then do not multiply the loss as well.

    Reference: Madow, "On the theory of systematic sampling, II", Annals of Mathematical Statistics
    20(3), 1949.
    """
    assert train.weights is not None  # ``engine.weights`` has refused data without
    draw = generator(seed, Purpose.ORDER, epoch)
    return shuffled(by_weight(train.weights.cpu(), len(train), draw), draw)
