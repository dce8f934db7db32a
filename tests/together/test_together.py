"""Lanes that are trained together end as if each had been trained alone."""

import copy
from contextlib import contextmanager, nullcontext
from functools import partial
from time import perf_counter

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlcourse.atomic_files import load_checked
from dlcourse.core import Observer
from dlcourse.engine.assemble import make_recipe, make_state
from dlcourse.engine.datasets import load_data, make_fold, split_training_data
from dlcourse.engine.instantiate import build
from dlcourse.errors import DivergedError
from dlcourse.together.alike import alike
from dlcourse.together.branches import Branches
from dlcourse.together.choice import EngineChoice, EnginePart
from dlcourse.together.fit import choose_engine, fit_together, run_rounds
from dlcourse.together.lane import Lane
from dlcourse.together.products import ConvolutionByProduct
from dlcourse.together.stacked_optimizer import StackedOptimizer
from dlcourse.together.turn import Turn
from dlcourse.train.checkpoint import history_of, restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import fit
from dlcourse.train.midway import Every

EXACT = ("runtime.precision=fp64", "stop=never", "observe=[]")
SMALL_VIT = ["model=vit", "model.width=12", "model.heads=2", "model.depth=1", "model.dropout=0.2"]
TIMES = {"seconds", "examples_per_second"}


def lanes_of(tiny, common, each):
    """Return a lane for each list of overrides."""
    made = []
    for number, own in enumerate(each):
        cfg = tiny(*EXACT, *common, f"seed={number}", *own)
        runtime = build(cfg["runtime"])()
        dataset = load_data(cfg)
        for part in split_training_data(cfg, dataset):
            fold = make_fold(cfg, dataset, part, runtime)
            state = make_state(cfg, runtime, dataset, fold)
            recipe = make_recipe(cfg, runtime, dataset, fold)
            made.append(Lane(state, fold, recipe, [], f"{number} {part.name}"))
    return made


def both(tiny, common, each, engine="stacked"):
    """Train lanes alone and together; return both lists, and the choice."""
    alone, together = lanes_of(tiny, common, each), lanes_of(tiny, common, each)
    for lane in alone:
        fit(lane.state, lane.fold, lane.recipe, lane.observers)
    return alone, together, fit_together(together, engine=engine)


def distance(one, other):
    """Return the largest difference of two lanes' weights, averages, optimizers and metrics."""
    gaps = [0.0]
    for ours, theirs in zip(tensors_of(one.state), tensors_of(other.state), strict=True):
        gaps.append(float((ours.double() - theirs.double()).abs().max()))
    assert len(one.state.history) == len(other.state.history)
    for ours, theirs in zip(one.state.history, other.state.history, strict=True):
        assert ours.metrics.keys() == theirs.metrics.keys()
        gaps += [
            abs(ours.metrics[key] - theirs.metrics[key]) for key in ours.metrics.keys() - TIMES
        ]
    return max(gaps)


def tensors_of(state):
    """Return all tensors of a state."""
    return [
        *state.model.state_dict().values(),
        *state.averaged.state_dict().values(),
        *(t for own in state.optimizer.state.values() for t in own.values() if torch.is_tensor(t)),
    ]


LONG = ["data.examples=60", "batch_size=4", "max_epochs=9"]  # 108 steps
RATES = [["optim.lr=0.01"], ["optim.lr=0.003"], ["optim.lr=0.02"]]


@pytest.mark.parametrize(("common", "each"), [
    (["model=mlp", "model.widths=[12]", "data.size=8", "optim=sgd", "clip=norm"], RATES),
    (["model=mlp", "model.widths=[12,8]", "model.dropout=0.3", "data.size=8", "optim=adam"],
     [["model.dropout=0.1"], ["optim.lr=0.003", "average=ema"], ["loss.label_smoothing=0.2"]]),
    (["model=mlp", "model.widths=[12]", "model.norm=batch", "data.size=8", "optim=momentum"],
     [["optim.momentum=0.5"], ["optim.weight_decay=0.01"], ["regularizer=[l1,max_norm]"]]),
    (["model=lenet", "optim=momentum"], [["augment=[crop,mixup]"], ["schedule=cosine"]]),
    (["model=lenet", "optim=nesterov", "model.norm=batch", "regularizer=[l2]"], RATES[:2]),
    ([*SMALL_VIT, "optim=momentum", "data.size=8", "average=ema"], [[], ["augment=[crop]"]]),
    (["model=mlp", "model.widths=[12]", "data.size=8", "optim=muon"], RATES[:2]),
    (["model=mlp", "model.widths=[12]", "data.size=8", "optim=rmsprop", "optim.lr=1e-3"], [[], []]),
    (["model=mlp", "model.widths=[12]", "data.size=8", "loss=mse", "augment=[mixup]"], RATES[:2]),
], ids=lambda value: " ".join(value[:2]) if isinstance(value[0], str) else "")  # fmt: skip
def test_lanes_equal_runs_alone_in_float64(common, each, tiny):
    alone, together, choice = both(tiny, [*LONG, *common], each)
    assert choice.engine == "stacked", choice
    for one, other in zip(alone, together, strict=True):
        assert other.error is None
        assert distance(one, other) < 1e-10
    assert distance(alone[0], together[1]) > 1e-6


@pytest.mark.parametrize("common", [
    ["model=mlp", "model.widths=[12]", "model.norm=batch", "optim=momentum"],
    ["model=lenet", "optim=momentum"],
], ids=lambda value: value[0])  # fmt: skip
def test_folds_of_unequal_size_equal_folds_alone(common, tiny):
    """41 examples in three folds: their last batches have 3 and 4 examples."""
    sizes = ["data.examples=41", "split=kfold", "split.folds=3", "batch_size=8", "max_epochs=4"]
    alone, together, choice = both(tiny, [*common, *sizes], [[]])
    assert choice.engine == "stacked"
    assert len({len(lane.fold.train) for lane in together}) == 2
    assert max(map(distance, alone, together)) < 1e-10
    assert distance(alone[0], together[1]) > 1e-6


@pytest.mark.parametrize("optim", ["sgd", "nesterov", "adam", "adamw"])
def test_one_kernel_for_all_lanes_updates_as_one_for_each(optim, tiny, monkeypatch):
    """The third lane ends first, within an epoch."""
    common = [*LONG[:2], "model=mlp", "model.widths=[12]", f"optim={optim}", "split.fraction=0.3"]
    each = [["max_epochs=4"], ["max_epochs=4"], ["max_epochs=2.5"]]
    together, alone = lanes_of(tiny, common, each), lanes_of(tiny, common, each)
    used = []
    call = StackedOptimizer.__call__
    monkeypatch.setattr(
        StackedOptimizer, "__call__", lambda *given: used.append(call(*given)) or used[-1]
    )
    fit_together(together, engine="stacked")
    assert used.count(True) > 30
    monkeypatch.setattr(StackedOptimizer, "__call__", lambda *given: False)
    fit_together(alone, engine="stacked")
    assert max(map(distance, alone, together)) < 1e-14
    assert distance(alone[0], together[1]) > 1e-6


def test_products_equal_convolutions(tiny):
    """A convolution with a stride, one with padding, one without a bias."""
    common = ["model=resnet20", "model.depth=8", "optim=momentum", "data.examples=20"]
    alone, together, choice = both(tiny, [*common, "max_epochs=1"], RATES[:2], "products")
    assert choice.engine == "products", choice
    assert max(map(distance, alone, together)) < 1e-10


def test_branches_are_the_ordinary_steps(tiny):
    """Without CUDA they run one after another; each lane draws its own random numbers."""
    common = ["model=mlp", "model.widths=[12]", "model.dropout=0.3", "augment=[crop]"]
    alone, together = lanes_of(tiny, common, RATES), lanes_of(tiny, common, RATES)
    for lane in alone:
        fit(lane.state, lane.fold, lane.recipe, [])
    turns = [Turn(lane, nothing, draws=True) for lane in together]
    run_rounds(turns, Branches(turns))
    assert max(map(distance, alone, together)) == 0


def nothing(lane):
    """Return the context in which nothing is changed."""
    return nullcontext()


def test_a_diverged_lane_leaves_the_others_bitwise_as_they_were(tiny):
    """The same three lanes, and in place of the second one that diverges in its second epoch."""
    common = ["model=mlp", "model.widths=[12]", "optim=sgd", "max_epochs=4"]
    good = lanes_of(tiny, common, RATES)
    bad = lanes_of(tiny, common, [RATES[0], ["optim.lr=1e200", "schedule.warmup=2"], RATES[2]])
    for lanes in (good, bad):
        fit_together(lanes, engine="stacked")
    assert isinstance(bad[1].error, DivergedError)
    assert "Training diverged" in str(bad[1].error)
    assert bad[0].error is bad[2].error is None
    assert distance(good[0], bad[0]) == distance(good[2], bad[2]) == 0
    assert all(bool(t.isfinite().all()) for t in bad[1].state.model.parameters())  # of the start
    other = lanes_of(tiny, [*common, "optim.momentum=0"], [RATES[1], RATES[1], RATES[2]])
    fit_together(other, engine="stacked")
    assert distance(good[0], other[0]) > 0


class Calls(Observer):
    """Records every call of the loop, and raises an error after an epoch if one is given."""

    def __init__(self, lane, ends=None):
        self.calls, self.lane, self.ends = [], lane, ends

    def start(self, state, recipe, fold):
        self.calls.append(("start", len(state.history), len(fold.train)))

    def watch(self, batches, count):
        self.calls.append(("watch", count))
        for number, batch in enumerate(batches):
            self.calls.append(("batch", number))
            yield batch

    def losses(self, state, values):
        self.calls.append(("losses", len(state.history), [round(value, 8) for value in values]))

    def epoch(self, state):
        self.calls.append(("epoch", len(state.history)))
        if len(state.history) == self.ends:
            raise KeyError("pruned")


def test_observers_get_the_same_calls_in_the_same_order(tiny):
    """Lanes of 3, 4 and 1.5 epochs; the second is ended by an observer after two of them."""
    each = [["max_epochs=3"], ["max_epochs=4"], ["max_epochs=1.5"]]
    common = ["model=mlp", "model.widths=[12]"]
    alone, together = lanes_of(tiny, common, each), lanes_of(tiny, common, each)
    for lanes in (alone, together):
        for number, lane in enumerate(lanes):
            lane.observers = [Calls(lane, ends=2 if number == 1 else None)]
    for number, lane in enumerate(alone):
        with pytest.raises(KeyError) if number == 1 else nullcontext():
            fit(lane.state, lane.fold, lane.recipe, lane.observers)
    seen = []
    fit_together(together, engine="stacked", context=lambda lane: entered(lane, seen))
    assert [lane.observers[0].calls for lane in alone] == [
        lane.observers[0].calls for lane in together
    ]
    assert isinstance(together[1].error, KeyError)
    assert [len(lane.state.history) for lane in together] == [3, 2, 2]
    assert {lane.name for lane in seen} == {lane.name for lane in together}


@contextmanager
def entered(lane, seen):
    """Record a lane whose own part is running."""
    seen.append(lane)
    yield


def test_lanes_are_resumed_from_checkpoints_of_different_epochs(tiny, tmp_path):
    """One is resumed within its second epoch, one after its first, one is finished."""
    common = ["model=mlp", "model.widths=[12]", "model.dropout=0.2", "augment=[crop]"]
    each = [["max_epochs=4"]] * 3
    whole = lanes_of(tiny, common, each)
    for lane in whole:
        fit(lane.state, lane.fold, lane.recipe, [])
    first, again = lanes_of(tiny, common, each), lanes_of(tiny, common, each)
    for number, lane in enumerate(first):
        (tmp_path / str(number)).mkdir()
        keeper = Checkpoint(tmp_path / str(number), Every(2) if number == 0 else None)
        lane.observers = [keeper, Ends(lane, within=number == 0, epoch=(1, 1, 9)[number])]
    fit_together(first, engine="stacked")
    assert [len(history_of(tmp_path / str(number))) for number in range(3)] == [1, 1, 4]
    for number, lane in enumerate(again):
        restore(lane.state, tmp_path / str(number))
    assert [bool(lane.state.midway) for lane in again] == [True, False, False]
    fit_together(again, engine="stacked")
    assert max(map(distance, whole, again)) < 1e-10


class Ends(Observer):
    """Ends a run after an epoch, or within the one after it."""

    def __init__(self, lane, *, within, epoch):
        self.last, self.within = epoch, within

    def watch(self, batches, count):
        for number, batch in enumerate(batches):
            if self.within and self.done and number == count - 1:
                raise KeyError("ended")
            yield batch

    def start(self, state, recipe, fold):
        self.done = False

    def epoch(self, state):
        self.done = len(state.history) == self.last
        if self.done and not self.within:
            raise KeyError("ended")


def test_checkpoints_are_those_of_runs_alone(tiny, tmp_path):
    common = ["model=mlp", "model.widths=[12]", "optim=adam"]
    alone, together = lanes_of(tiny, common, RATES), lanes_of(tiny, common, RATES)
    for kind, lanes in (("alone", alone), ("together", together)):
        for number, lane in enumerate(lanes):
            (tmp_path / kind / str(number)).mkdir(parents=True)
            lane.observers = [Checkpoint(tmp_path / kind / str(number))]
    for lane in alone:
        fit(lane.state, lane.fold, lane.recipe, lane.observers)
    fit_together(together, engine="stacked")
    for number in range(len(RATES)):
        for name in ("last.pt", "best.pt"):
            one, other = (tmp_path / kind / str(number) / "checkpoints" / name
                          for kind in ("alone", "together"))  # fmt: skip
            assert abs(one.stat().st_size - other.stat().st_size) < 0.1 * one.stat().st_size
            ours, theirs = load_checked(one), load_checked(other)
            assert ours.keys() == theirs.keys()
            for key, tensor in ours["model"].items():
                assert (tensor - theirs["model"][key]).abs().max() < 1e-10


def test_an_error_of_writing_ends_only_its_lane(tiny, tmp_path):
    common = ["model=mlp", "model.widths=[12]"]
    lanes = lanes_of(tiny, common, RATES)
    for number, lane in enumerate(lanes):
        (tmp_path / str(number)).mkdir()
        lane.observers = [Checkpoint(tmp_path / str(number)), Breaks(tmp_path / str(number))]
    lanes[0].observers = lanes[0].observers[:1]
    fit_together(lanes, engine="stacked")
    assert [type(lane.error) for lane in lanes] == [
        type(None),
        FileNotFoundError,
        FileNotFoundError,
    ]
    assert len(lanes[0].state.history) == 2


class Breaks(Observer):
    """Removes the folder of the checkpoints, which are written after the epoch."""

    def __init__(self, folder):
        self.folder = folder

    def epoch(self, state):
        (self.folder / "checkpoints").rename(self.folder / "gone")
        self.folder = self.folder / "gone"


def test_the_time_of_a_lane_is_its_share(tiny):
    lanes = lanes_of(tiny, ["model=mlp", "max_epochs=3"], [[]] * 6)
    started = perf_counter()
    fit_together(lanes, engine="stacked")
    passed = perf_counter() - started
    assert 0 < sum(lane.state.seconds for lane in lanes) < passed


@pytest.mark.parametrize(("common", "reason"), [
    (["model=mlp", "optim=sam"], "SAM or MLP has its own step"),
    (["model=mlp", "accumulate=2"], "accumulate computes a batch in pieces"),
    (["model=lenet", "model.pool=stochastic"], "randomness"),
])  # fmt: skip
def test_what_cannot_be_trained_together_is_trained_in_turn_with_the_reason(common, reason, tiny):
    sizes = ["data.examples=30", "max_epochs=1"]
    alone, together, choice = both(tiny, [*sizes, *common], [[], []])
    assert choice.engine == "in_turn"
    assert str(choice).startswith("together: 2 runs one after another (")
    assert reason in str(choice)
    assert max(map(distance, alone, together)) == 0


def test_lanes_of_other_architectures_are_parts_of_their_own(tiny):
    each = [[], ["model.widths=[8]"], [], ["model.activation=tanh"], ["model.widths=[8]"]]
    common = ["model=mlp", "model.widths=[12]", "max_epochs=1"]
    alone, together, choice = both(tiny, common, each)
    assert [(part.engine, part.lanes) for part in choice.parts] == [
        ("stacked", 2), ("stacked", 2), ("in_turn", 1)
    ]  # fmt: skip
    assert "no other run has its architecture" in str(choice)
    assert max(map(distance, alone, together)) < 1e-10


def test_the_trial_changes_nothing(tiny, monkeypatch):
    """Also the random numbers: the lanes draw masks and shifts."""
    monkeypatch.setattr("dlcourse.together.fit.MIN_STEPS", 100)
    common = ["model=mlp", "model.widths=[12]", "model.dropout=0.3", "augment=[crop]"]
    alone, together = (lanes_of(tiny, [*LONG, *common], RATES[:2]) for _ in range(2))
    before = copy.deepcopy(tensors_of(together[0].state)), torch.get_rng_state()
    part = choose_engine(together, "fastest")
    after = tensors_of(together[0].state), torch.get_rng_state()
    assert set(part.measured) == {"stacked"}
    assert all(map(torch.equal, before[0], after[0]))
    assert torch.equal(before[1], after[1])
    for lane in alone:
        fit(lane.state, lane.fold, lane.recipe, [])
    fit_together(together)
    assert max(map(distance, alone, together)) < 1e-10


def test_an_engine_with_other_losses_is_declined(tiny, monkeypatch):
    monkeypatch.setattr(ConvolutionByProduct, "forward", lambda self, x: 2 * F.conv2d(
        x, self.weight, self.bias, self.stride, self.padding))  # fmt: skip
    lanes = lanes_of(tiny, ["model=lenet", "max_epochs=1", "data.examples=30"], RATES[:2])
    part = choose_engine(lanes, "products")
    assert part.engine == "in_turn"
    assert part.reason.startswith("products: outputs of up to ")


def test_the_choice_is_one_line():
    fast = EnginePart("stacked", 32, {"stacked": 6.1, "products": 4.0})
    slow = EnginePart("in_turn", 3, {"stacked": 0.7})
    alone = EnginePart("in_turn", 1, reason="no other run has its architecture")
    assert str(EngineChoice((fast,))) == (
        "together: 32 runs as stacked (a step 6.1x as fast as one after another; products 4x)"
    )
    assert str(EngineChoice((slow, alone))) == (
        "together: 3 runs one after another (stacked 0.7x); "
        "1 run alone (no other run has its architecture)"
    )


def test_an_interrupt_passes(tiny):
    def stop(lane):
        raise KeyboardInterrupt

    lanes = lanes_of(tiny, ["model=mlp", "max_epochs=1"], [[], []])
    with pytest.raises(KeyboardInterrupt):
        fit_together(lanes, engine="stacked", context=stop)


def test_functions_are_alike_with_the_same_code_and_values():
    def scaled(factor):
        return lambda value: factor * value

    assert alike(scaled(2), scaled(2))
    assert not alike(scaled(2), scaled(3))
    assert alike(partial(max, 1, key=abs), partial(max, 1, key=abs))
    assert not alike(nn.Linear(2, 3), nn.Linear(2, 4))
    assert not alike(nn.LeakyReLU(0.1), nn.LeakyReLU(0.2))
    assert alike(nn.Dropout(0.1), nn.Dropout(0.2))
