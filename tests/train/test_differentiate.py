"""A batch that is computed in pieces trains as the whole batch."""

import pytest
import torch
from conftest import prepared

from dlcourse.train.fit import fit

EPOCHS = ("max_epochs=3", "stop=never", "runtime.precision=fp64", "batch_size=16")  # 3 steps each


def weights(cfg) -> torch.Tensor:
    """Train, and return all parameters in one vector."""
    state, fold, recipe = prepared(cfg)
    fit(state, fold, recipe)
    return torch.cat([weight.flatten() for weight in state.model.parameters()]).detach()


@pytest.mark.parametrize(
    ("pieces", "overrides"),
    [
        (3, ("model=lenet", "optim=adam", "clip=norm", "clip.max_norm=0.5")),
        (2, ("model=mlp", "optim=sam", "regularizer=[l2]", "average=ema", "augment=[mixup]")),
        (8, ("model=mlp", "optim=gd", "batch_size=full")),
        (5, ("model=vit", "optim=adamw", "model.dropout=0", "model.depth=1", "max_epochs=1")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_pieces_give_the_weights_of_the_whole_batch(pieces, overrides, tiny):
    whole = weights(tiny(*EPOCHS, *overrides))
    divided = weights(tiny(*EPOCHS, *overrides, f"accumulate={pieces}"))
    assert (divided - whole).abs().max() <= 1e-10


def test_batch_norm_averages_over_each_piece(tiny):
    whole, divided = (
        weights(tiny(*EPOCHS, "model=convnet", "model.norm=batch", f"accumulate={pieces}"))
        for pieces in (1, 2)
    )
    assert (divided - whole).abs().max() > 1e-6


@pytest.mark.parametrize(
    ("batch_size", "pieces", "sizes"),
    [
        (16, 4, [4] * 12),  # 48 examples
        (20, 3, [7, 7, 6, 7, 7, 6, 4, 4]),  # the last batch has 8, in pieces of at most 7
        (47, 23, [3] * 16),  # a last example alone has joined its batch
    ],
)
def test_no_piece_is_larger_than_its_share_and_none_has_one_example(
    batch_size, pieces, sizes, tiny
):
    cfg = tiny("model=mlp", "max_epochs=1", f"batch_size={batch_size}", f"accumulate={pieces}")
    state, fold, recipe = prepared(cfg)
    seen = []
    state.model.register_forward_pre_hook(
        lambda model, inputs: seen.append(len(inputs[0])) if model.training else None
    )
    fit(state, fold, recipe)
    assert seen == sizes


def test_too_many_pieces_are_refused(refused):
    message = refused("batch_size=6", "accumulate=4")
    assert "accumulate=4 leaves fewer than two examples of batch_size=6 for a piece" in message
    assert "Type accumulate=3 or less" in message


@pytest.mark.parametrize("choice", ["optim=lbfgs", "optim=closed_form", "model=cascade"])
def test_a_step_that_needs_its_batch_as_a_whole_is_refused(choice, refused):
    linear = ["model=linear", "loss=mse"] if choice == "optim=closed_form" else []
    message = refused(*linear, choice, "batch_size=full", "accumulate=2")
    assert f"{choice} needs it as a whole" in message
