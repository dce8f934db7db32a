"""alternating_flip: in two epochs every image occurs flipped and unflipped, in any batch order."""

import dataclasses

import pytest
import torch
from conftest import prepared

from dlcourse.augment.alternating_flip import alternating_flip, random_bits
from dlcourse.train.fit import fit

EVERY = torch.arange(4000)


def flipped(index, epoch, seed=0):
    """Return a mask of the images that are flipped."""
    one = torch.tensor([[[[0, 1]]]]).expand(len(index), -1, -1, -1)
    after, _ = alternating_flip(one, None, index=index, epoch=torch.tensor(epoch), seed=seed)
    return after[:, 0, 0, 0] == 1


def test_half_of_the_images_are_flipped_in_even_epochs_and_the_other_half_in_odd():
    first = flipped(EVERY, 0)
    assert 1850 < first.sum() < 2150
    for epoch in range(1, 5):
        assert torch.equal(flipped(EVERY, epoch), first ^ (epoch % 2 == 1))


def test_the_random_bits_of_other_positions_and_seeds_are_independent():
    for seed in (0, 1, 2**32 - 1):
        ours = random_bits(EVERY, seed)
        for theirs in (
            random_bits(EVERY + 1, seed),
            random_bits(EVERY + 100, seed),
            random_bits(EVERY, seed ^ 1),
        ):
            assert 1850 < (ours == theirs).sum() < 2150


def test_a_flip_depends_on_the_position_and_not_on_the_batch():
    order = torch.randperm(4000)
    assert torch.equal(flipped(order, 1), flipped(EVERY, 1)[order])


@pytest.mark.parametrize("overrides", [[], ["batch_size=full"], ["split.fraction=0.5"]])
def test_the_loop_passes_epoch_and_position_to_the_augmentation(overrides, tiny):
    cfg = tiny("model=linear", "augment=[alternating_flip]", "max_epochs=3", *overrides)
    state, fold, recipe = prepared(cfg)
    seen = []

    def record(inputs, targets, index, epoch):
        raw = fold.train.inputs[index]
        mirrored = (inputs == raw.flip(-1)).flatten(1).all(1)
        assert torch.equal(torch.where(mirrored.view(-1, 1, 1, 1), raw.flip(-1), raw), inputs)
        seen.append((int(epoch), index, mirrored))
        return inputs, targets

    recipe = dataclasses.replace(recipe, augment=[*recipe.augment, record])
    fit(state, fold, recipe)
    ways = torch.empty(3, len(fold.train), dtype=torch.bool)
    for epoch, index, mirrored in seen:
        ways[epoch, index] = mirrored
    assert torch.equal(ways[0], ~ways[1])
    assert torch.equal(ways[0], ways[2])
    assert 0.2 < ways[0].float().mean() < 0.8
