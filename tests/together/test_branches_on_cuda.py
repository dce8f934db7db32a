"""Branches of one CUDA graph: lanes on an NVIDIA GPU end as if each had been trained alone."""

from contextlib import nullcontext

import pytest
import torch

from dlcourse.engine.assemble import make_recipe, make_state
from dlcourse.engine.datasets import load_data, make_fold, split_training_data
from dlcourse.engine.instantiate import build
from dlcourse.errors import DivergedError
from dlcourse.together.branches import Branches
from dlcourse.together.fit import fit_together, run_rounds
from dlcourse.together.lane import Lane
from dlcourse.together.turn import Turn
from dlcourse.train.fit import fit

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU"),
]
GPU = ["runtime=cuda", "observe=[]", "data.examples=300", "batch_size=32", "stop=never"]


def lanes_on_gpu(compose, common, each):
    """Return a lane for each list of overrides."""
    made = []
    for number, own in enumerate(each):
        cfg = compose(*GPU, *common, f"seed={number}", *own)
        runtime, dataset = build(cfg["runtime"])(), load_data(cfg)
        runtime = runtime.with_picks({"channels_last": False, "linear": "products"})
        (part,) = split_training_data(cfg, dataset)
        fold = make_fold(cfg, dataset, part, runtime)
        state = make_state(cfg, runtime, dataset, fold)
        made.append(Lane(state, fold, make_recipe(cfg, runtime, dataset, fold), [], str(number)))
    return made


def gap(one, other):
    """Return the largest difference of two lanes' weights."""
    pairs = zip(one.state.model.parameters(), other.state.model.parameters(), strict=True)
    return max(float((ours - theirs).detach().abs().max()) for ours, theirs in pairs)


@pytest.mark.parametrize("model", [["model=mlp"], ["model=lenet", "model.norm=batch"]])
def test_branches_equal_runs_alone_and_a_lane_may_end_first(model, compose):
    each = [["max_epochs=4"], ["max_epochs=2"], ["max_epochs=4", "optim.lr=0.003"]]
    alone, together = (lanes_on_gpu(compose, [*model, "optim=momentum"], each) for _ in range(2))
    for lane in alone:
        fit(lane.state, lane.fold, lane.recipe, [])
    turns = [Turn(lane, nothing, draws=False) for lane in together]
    engine = Branches(turns)
    captured = []
    capture = engine.capture
    engine.capture = lambda *batch: captured.append(len(batch[0])) or capture(*batch)
    run_rounds(turns, engine)
    assert captured == [3, 2]
    assert not engine.impossible
    assert [len(lane.state.history) for lane in together] == [4, 2, 4]
    assert max(map(gap, alone, together)) < 1e-3
    assert gap(alone[0], together[2]) > 1e-2
    for one, other in zip(alone, together, strict=True):
        losses = [lane.state.history[-1].metrics["train/loss"] for lane in (one, other)]
        assert losses[0] == pytest.approx(losses[1], abs=1e-2)


def nothing(lane):
    """Return a context that changes nothing."""
    return nullcontext()


def test_a_diverged_lane_leaves_the_others_as_they_were(compose):
    each = [[], ["optim.lr=1e30"], []]
    alone, together = (
        lanes_on_gpu(compose, ["model=mlp", "optim=sgd", "max_epochs=3"], each) for _ in range(2)
    )
    fit(alone[0].state, alone[0].fold, alone[0].recipe, [])
    fit_together(together, engine="branches")
    assert isinstance(together[1].error, DivergedError)
    assert together[0].error is together[2].error is None
    assert gap(alone[0], together[0]) < 1e-3


def test_dropout_and_augmentation_learn_in_branches(compose):
    common = ["model=lenet", "model.dropout=0.2", "augment=[crop]", "max_epochs=25"]
    lanes = lanes_on_gpu(compose, common, [[], ["optim.lr=0.002"], ["average=ema"]])
    choice = fit_together(lanes)
    assert choice.engine in ("branches", "in_turn"), choice
    assert all(lane.error is None for lane in lanes)
    assert all(lane.state.history[-1].metrics["val/accuracy"] > 0.6 for lane in lanes)


def test_stacked_weights_train_on_cuda_as_alone(compose):
    alone, together = (
        lanes_on_gpu(compose, ["model=lenet", "optim=momentum", "max_epochs=2"], [[], []])
        for _ in range(2)
    )
    for lane in alone:
        fit(lane.state, lane.fold, lane.recipe, [])
    choice = fit_together(together, engine="stacked")
    assert choice.engine == "stacked", choice
    assert max(map(gap, alone, together)) < 1e-3
