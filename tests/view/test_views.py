"""Views change validation and test, and not the training."""

import pytest
import torch
from conftest import prepared, same
from torch import nn

from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.runs import run_folder
from dlcourse.train.evaluate import evaluate_split
from dlcourse.train.fit import fit
from dlcourse.view.answer import from_views
from dlcourse.view.shift import shift

SIX = "view=[shift,mirror]"


def test_views_change_the_validation_and_not_the_training(tiny):
    ends = []
    for view in ("view=[]", SIX):
        state, fold, recipe = prepared(tiny("model=linear", view))
        ends.append(fit(state, fold, recipe))
    assert same(ends[0].model, ends[1].model)
    plain, seen = (state.history[-1].metrics for state in ends)
    assert plain["train/loss"] == seen["train/loss"]
    assert plain["val/loss"] != seen["val/loss"]


def test_a_model_that_sees_no_difference_gives_its_own_answer():
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    images = torch.randn(2, 3, 4, 4)
    mirror = lambda some: [(0.5, some), (0.5, some.flip(-1))]  # noqa: E731
    ask = from_views([mirror, mirror], torch.Tensor.contiguous)
    torch.testing.assert_close(ask(model, images), model(images))


def test_the_final_test_is_that_of_the_views(tiny, tmp_path):
    cfg = tiny("model=linear", SIX, "max_epochs=1")
    run(cfg, tmp_path / "run")
    result = run_folder.read_result(tmp_path / "run")
    state, fold, recipe = prepared(cfg)
    fit(state, fold, recipe)
    metrics = evaluate_split(state.model, fold.val, fold.standardize, recipe).read("val")
    assert result["val"]["loss"] == metrics["val/loss"] == state.history[0].metrics["val/loss"]


def test_the_views_of_mixed_precision_are_weighed_in_full_precision(tiny):
    cfg = tiny("model=linear", SIX, "runtime.precision=bf16")
    state, fold, recipe = prepared(cfg)
    meter = evaluate_split(state.model, fold.val, fold.standardize, recipe, keep=True)
    assert meter.kept_outputs()[0].dtype == torch.float32


def test_a_shift_needs_pixels_to_mirror():
    with pytest.raises(UserError, match=r"view\.shift\.pixels=3"):
        shift(torch.zeros(1, 1, 4, 9), pixels=4)
