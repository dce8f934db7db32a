"""The batches of several lanes as one."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcourse.core import Split, Standardize
from dlcourse.together.masks import MaskShapes
from dlcourse.together.turn import Turn


@dataclass
class Batches:
    """The batches of G lanes.

    inputs: (G, N, ...), augmented and standardised. targets: of each lane. masks: (G, N, ...) for
    each call of a dropout layer.
    """

    inputs: Tensor
    targets: list[Tensor]
    masks: list[Tensor]


class Fetch:
    """Fetches, augments and standardises the batches of lanes.

    Without augmentation, lanes that train on the same tensor are fetched with one call, and their
    inputs are standardised with one call, each with its own mean and scale.
    """

    def __init__(self, turns: Sequence[Turn], masks: MaskShapes) -> None:
        self.masks = masks
        lanes = [turn.lane for turn in turns]
        first = lanes[0].fold.train
        self.joint = all(
            not lane.recipe.augment
            and type(lane.fold.train) is Split
            and lane.fold.train.inputs is first.inputs
            and lane.fold.train.targets is first.targets
            and type(lane.fold.standardize) is Standardize
            for lane in lanes
        )
        self.examples = first
        if self.joint:
            size = first.inputs.dim()
            maps = [lane.fold.standardize for lane in lanes]
            self.mean = for_each([one.mean for one in maps], size)
            self.scale = for_each([one.scale for one in maps], size)

    def __call__(self, turns: Sequence[Turn], places: Sequence[int]) -> Batches:
        """Return the batches of the lanes' next steps.

        A lane whose augmentation raises an error keeps it in ``failed``, and zeros take its place.
        """
        if self.joint:
            inputs, targets = self.together(turns, places)
        else:
            inputs, targets = self.one_by_one(turns)
        masks = []
        if self.masks.model is not None:
            drawn = []
            for turn, own in zip(turns, inputs.unbind(), strict=True):
                with turn.alone():
                    drawn.append(self.masks.draw(turn.lane.state.model, own))
            masks = [torch.stack(layer) for layer in zip(*drawn, strict=True)]
        return Batches(inputs, targets, masks)

    def together(self, turns: Sequence[Turn], places: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Fetch and standardise all batches at once."""
        index = torch.cat([index_of(turn) for turn in turns])  # (G N,)
        raw = self.examples.inputs.index_select(0, index)
        raw = raw.view(len(turns), -1, *raw.shape[1:])
        mean, scale = (
            part if len(part) == 1 or len(places) == len(part) else part[list(places)]
            for part in (self.mean, self.scale)
        )
        targets = self.examples.targets.index_select(0, index)
        targets = targets.view(len(turns), -1, *targets.shape[1:])
        return torch.sub(raw, mean).mul_(scale), list(targets.unbind())

    def one_by_one(self, turns: Sequence[Turn]) -> tuple[Tensor, list[Tensor]]:
        """Fetch, augment and standardise each batch with its lane's random numbers."""
        inputs, targets = [], []
        for turn in turns:
            assert turn.next is not None
            lane, runner, index = turn.lane, turn.next.runner, index_of(turn)
            with turn.alone():
                own, wanted = lane.fold.train.fetch(index)
                for augment in lane.recipe.augment:
                    own, wanted = augment(own, wanted, index, runner.pass_number)
                inputs.append(lane.fold.standardize(own))
                targets.append(wanted)
        return torch.stack(inputs), targets


def for_each(values: Sequence[Tensor], dimensions: int) -> Tensor:
    """Return K values for examples of a batch as (K, 1, ...), or (1, 1, ...) if all are equal.

    dimensions: of a batch, including the first.
    """
    if all(torch.equal(values[0], value) for value in values[1:]):
        values = values[:1]
    stacked = torch.stack(list(values))
    missing = dimensions - values[0].dim()
    return stacked.view(len(values), *(1,) * missing, *values[0].shape)


def index_of(turn: Turn) -> Tensor:
    """Return the positions (N,) of the examples of a lane's next step."""
    assert turn.next is not None
    return turn.next.batch[0]
