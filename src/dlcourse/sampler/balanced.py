"""Every class equally often."""

import torch
from torch import Tensor

from dlcourse.core import Split
from dlcourse.errors import UserError
from dlcourse.permutations import generator
from dlcourse.random_streams import Purpose
from dlcourse.sampler.repeats import evenly_repeated, shuffled


def balanced(train: Split, *, seed: int, epoch: int) -> Tensor:
    """Return N examples in which every class occurs equally often, up to one.

    Examples of a rare class are repeated, each equally often up to one; of a frequent class a
    random part is left out, another one in each epoch. An epoch has as many steps as without it.

    Raises UserError for a regression, and where an example can have several classes.

    Reference: He, Garcia, "Learning from imbalanced data", IEEE Transactions on Knowledge and Data
    Engineering 21(9), 2009, section 3.1.
    """
    targets = train.targets.cpu()
    if targets.dim() != 1:
        raise UserError(
            "sampler=balanced draws every class equally often, and needs one class for each "
            "example.\nType sampler=shuffle; loss.class_weight=balanced weighs several classes"
        )
    draw = generator(seed, Purpose.ORDER, epoch)
    present = targets.unique()
    extra = torch.randperm(len(present), generator=draw)[: len(targets) % len(present)].tolist()
    chosen = [
        evenly_repeated(
            (targets == number).nonzero().flatten(),
            len(targets) // len(present) + (place in extra),
            draw,
        )
        for place, number in enumerate(present.tolist())
    ]
    return shuffled(torch.cat(chosen), draw)
