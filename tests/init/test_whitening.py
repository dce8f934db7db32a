"""The first layer whitens the training images of its fold, once before training."""

import pytest
import torch
from conftest import prepared, same
from torch import nn
from torch.nn import functional as F

from dlcourse.engine.assemble import make_state
from dlcourse.engine.datasets import load_data
from dlcourse.engine.instantiate import build
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.init import whitening as whitening_module
from dlcourse.init.whitening import whitening

SMALL = [
    "model=airbench", "model.widths=[8,8,8]", "init=whitening", "init.rest=dirac", "stop=never",
    "optim.freeze=[whitening.weight]", "data.size=12",
]  # fmt: skip


def second_moments(layer, images):
    """Return the mean products of the outputs of two filters (filters, filters), without bias."""
    maps = F.conv2d(images, layer.weight)  # (N, filters, H, W)
    rows = maps.movedim(1, 3).flatten(0, 2)
    return (rows.T @ rows / len(rows)).detach()


def test_the_outputs_of_the_first_filters_have_the_identity_as_second_moments(tiny):
    state, fold, _ = prepared(tiny(*SMALL, "init.eps=1e-9"))
    layer = state.model.whitening
    half = layer.out_channels // 2
    products = second_moments(layer, fold.standardize(fold.train.inputs))
    torch.testing.assert_close(products[:half, :half], torch.eye(half), atol=1e-3, rtol=0)
    assert torch.equal(layer.weight[:half], -layer.weight[half:])
    assert not layer.bias.any()
    assert not layer.weight.requires_grad


def test_filters_are_sorted_by_variance_and_a_small_layer_takes_the_first():
    images = torch.randn(200, 2, 9, 9) * torch.tensor([1.0, 5.0]).view(2, 1, 1)
    model = nn.Conv2d(2, 5, 2)
    drawn = model.weight[4].clone()
    whitening(model, inputs=lambda count: images.split(90), examples=200, eps=1e-6, rest="default")
    weight = model.weight.detach()
    assert (weight[:2, 1].square().sum((1, 2)) > 100 * weight[:2, 0].square().sum((1, 2))).all()
    assert torch.equal(weight[2:4], -weight[:2])
    assert torch.equal(weight[4], drawn)


def test_whitening_repeats_with_the_same_seed_and_differs_between_seeds_and_folds(tiny):
    cfg = tiny(*SMALL, "init.examples=20")
    first, second = (prepared(cfg)[0].model for _ in range(2))
    assert same(first, second)
    weights = [first.whitening.weight]
    for overrides in (["seed=1"], ["split.seed=1"]):
        weights.append(
            prepared(tiny(*SMALL, "init.examples=20", *overrides))[0].model.whitening.weight
        )
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_resumed_run_takes_its_filters_from_the_checkpoint(tiny, tmp_path, monkeypatch):
    overrides = [*SMALL, "average=ema"]
    run(tiny(*overrides, "max_epochs=2"), tmp_path / "straight")
    run(tiny(*overrides, "max_epochs=1"), tmp_path / "parts")
    (tmp_path / "parts/result.json").unlink()
    (tmp_path / "parts/.hydra/config.yaml").unlink()  # its max_epochs is different

    def refuse(*_):
        raise AssertionError("the checkpoint has the weights")

    monkeypatch.setattr(whitening_module, "second_moments", refuse)
    run(tiny(*overrides, "max_epochs=2"), tmp_path / "parts")
    ends = [torch.load(tmp_path / name / "checkpoints/last.pt") for name in ("straight", "parts")]
    for part in ("model", "averaged"):
        assert all(torch.equal(ends[0][part][key], ends[1][part][key]) for key in ends[0][part])


def test_a_model_is_built_without_a_training_part_too(tiny):
    cfg = tiny(*SMALL)
    assert make_state(cfg, build(cfg["runtime"])(), load_data(cfg)).model.whitening.weight.any()


@pytest.mark.parametrize("model", [nn.Linear(4, 2), nn.Conv2d(2, 4, 2, groups=2)])
def test_a_model_without_a_plain_first_convolution_is_refused(model):
    with pytest.raises(UserError, match="model=airbench"):
        whitening(
            model,
            inputs=lambda count: [torch.randn(3, 2, 4, 4)],
            examples=3,
            eps=1.0,
            rest="default",
        )
