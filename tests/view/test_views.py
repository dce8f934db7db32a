"""Views change validation and test, not training."""

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
    plain, viewed = (state.history[-1].metrics for state in ends)
    assert plain["train/loss"] == viewed["train/loss"]
    assert plain["val/loss"] != viewed["val/loss"]


def test_views_do_not_change_the_outputs_of_an_invariant_model():
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    images = torch.randn(2, 3, 4, 4)
    mirror = lambda some: [(0.5, some), (0.5, some.flip(-1))]  # noqa: E731
    predict = from_views([mirror, mirror], torch.Tensor.contiguous)
    torch.testing.assert_close(predict(model, images), model(images))


def test_the_final_evaluation_uses_the_views(tiny, tmp_path):
    cfg = tiny("model=linear", SIX, "max_epochs=1")
    run(cfg, tmp_path / "run")
    result = run_folder.read_result(tmp_path / "run")
    state, fold, recipe = prepared(cfg)
    fit(state, fold, recipe)
    metrics = evaluate_split(state.model, fold.val, fold.standardize, recipe).read("val")
    assert result["val"]["loss"] == metrics["val/loss"] == state.history[0].metrics["val/loss"]


def test_the_outputs_of_views_are_averaged_in_float32_under_mixed_precision(tiny):
    cfg = tiny("model=linear", SIX, "runtime.precision=bf16")
    state, fold, recipe = prepared(cfg)
    meter = evaluate_split(state.model, fold.val, fold.standardize, recipe, keep=True)
    assert meter.kept_outputs()[0].dtype == torch.float32


def test_a_shift_as_large_as_the_image_is_refused():
    with pytest.raises(UserError, match=r"view\.shift\.pixels=3"):
        shift(torch.zeros(1, 1, 4, 9), pixels=4)
