"""Stop, skip, roll back: what happens after a loss, a gradient or a weight that is not finite."""

import math
from dataclasses import replace

import pytest
import torch
from conftest import prepared, same

from dlcourse.core import Observer
from dlcourse.errors import DivergedError
from dlcourse.together.fit import fit_together
from dlcourse.together.lane import Lane
from dlcourse.train.checkpoint import restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import fit
from dlcourse.train.midway import Every
from dlcourse.train.update import noted_update, plain_update

BASE = ("model=mlp", "model.widths=[8]", "model.norm=batch", "optim=adam", "max_epochs=3")
RATE = 0.001  # the learning rate of optim=adam


def spoiled(recipe, fold, what, place, *, epoch=2, above=0.0):
    """Spoil the step of an epoch that has a certain example, if the learning rate is above one.

    place: of the example in the epoch's order. So the fault is a function of the training alone.
    """
    order = recipe.sample(fold.train, recipe.seed, epoch - 1)
    marked = fold.standardize(fold.train.inputs[order[place]][None])

    def differentiate(state, inputs, targets, inner):
        outputs, loss = recipe.differentiate(state, inputs, targets, inner)
        rate = float(state.optimizer.param_groups[0]["lr"])
        here = bool((inputs == marked).flatten(1).all(1).any())
        if not (here and len(state.history) == epoch - 1 and rate > above):
            return outputs, loss
        weight = next(state.model.parameters())
        if what == "loss":
            loss = loss * math.nan
        elif what == "gradient":
            weight.grad.view(-1)[3] = math.inf
        elif what == "weight":
            weight.data.view(-1)[3] = math.nan
        else:
            statistics = (b for b in state.model.buffers() if b.is_floating_point())
            next(statistics)[0] = math.nan
        return outputs, loss

    return replace(recipe, differentiate=differentiate)


def run(cfg, folder, spoil=lambda recipe, fold: recipe, observers=()):
    """Train and return the state; a folder with a checkpoint is resumed."""
    state, fold, recipe = prepared(cfg)
    folder.mkdir(exist_ok=True)
    every = cfg.get("checkpoint_every")
    checkpoint = Checkpoint(folder, Every(every) if every else None)
    fit(restore(state, folder), fold, spoil(recipe, fold), [checkpoint, *observers])
    return state


def spoil_with(what, place, **keywords):
    return lambda recipe, fold: spoiled(recipe, fold, what, place, **keywords)


@pytest.mark.parametrize("place", [0, 20, -1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("what", ["loss", "gradient", "weight", "statistics"])
def test_the_run_ends_with_the_last_good_epoch_in_memory_and_on_disk(what, place, tiny, tmp_path):
    state, fold, recipe = prepared(tiny(*BASE, "average=ema"))
    step = place % len(fold.train) // recipe.batch_size + 1
    with pytest.raises(DivergedError) as caught:
        fit(state, fold, spoiled(recipe, fold, what, place), [Checkpoint(tmp_path)])
    stored = restore(prepared(tiny(*BASE, "average=ema"))[0], tmp_path)
    assert len(stored.history) == len(state.history) == 1
    assert same(state.model, stored.model)
    assert same(state.averaged, stored.averaged)
    assert all(bool(t.isfinite().all()) for t in state.model.state_dict().values())
    message = str(caught.value)
    assert "The checkpoint of epoch 1 is kept; nothing of epoch 2 is saved." in message
    if what in ("loss", "gradient"):
        assert f"in epoch 2, step {step}, at a learning rate of 0.001: the loss is" in message
    if what == "gradient":
        assert "the gradient of hidden.0.weight is not finite" in message


def test_on_an_accelerator_the_first_bad_step_is_known_without_reading_at_each(tiny, tmp_path):
    state, fold, recipe = prepared(tiny(*BASE))
    recipe = replace(spoiled(recipe, fold, "gradient", 20), update=noted_update)
    with pytest.raises(DivergedError, match=r"epoch 2, step 2, .*the loss or a gradient"):
        fit(state, fold, recipe, [Checkpoint(tmp_path)])
    assert same(state.model, restore(prepared(tiny(*BASE))[0], tmp_path).model)
    plain, fold, recipe = prepared(tiny(*BASE))
    noted = fit(prepared(tiny(*BASE))[0], fold, replace(recipe, update=noted_update))
    assert same(fit(plain, fold, replace(recipe, update=plain_update)).model, noted.model)


SKIP = "nonfinite=skip"


@pytest.mark.parametrize(
    "overrides", [[], ["optim=sam"], ["accumulate=2"], ["clip=norm", "optim=lion"]], ids=str
)
def test_a_skipped_step_leaves_no_trace(overrides, tiny, tmp_path):
    """The reference is a run whose second epoch does not have the examples of that batch."""
    cfg = tiny(*BASE, SKIP, *overrides)
    skipped = run(cfg, tmp_path / "a", spoil_with("gradient", 20))

    def without_batch(recipe, fold):
        def sample(train, seed, epoch):
            order = recipe.sample(train, seed, epoch)
            return torch.cat([order[:16], order[32:]]) if epoch == 1 else order

        return replace(recipe, sample=sample)

    reference = run(cfg, tmp_path / "b", without_batch)
    assert same(skipped.model, reference.model)
    for one, other in zip(skipped.model.buffers(), reference.model.buffers(), strict=True):
        assert torch.equal(one, other)
    one, other = (state.history[1].metrics for state in (skipped, reference))
    assert one.pop("train/skipped_steps") == 1
    assert one["train/loss"] == other["train/loss"]
    assert "train/skipped_steps" not in skipped.history[2].metrics
    assert not same(skipped.model, run(cfg, tmp_path / "c").model)  # the control: nothing skipped


def test_too_many_skipped_steps_and_an_epoch_without_any_other_end_the_run(tiny, tmp_path):
    def always(recipe, fold):
        def differentiate(*arguments):
            outputs, loss = recipe.differentiate(*arguments)
            return outputs, loss * math.nan

        return replace(recipe, differentiate=differentiate)

    with pytest.raises(
        DivergedError, match=r"step 3, .*after 2 skipped steps \(nonfinite.max_skipped=2\)"
    ):
        run(tiny(*BASE, SKIP, "nonfinite.max_skipped=2"), tmp_path / "a", always)
    with pytest.raises(DivergedError, match="all steps were left out"):
        run(tiny(*BASE, SKIP), tmp_path / "b", always)


ROLLBACK = (*BASE, "nonfinite=rollback", "nonfinite.factor=0.5", "max_epochs=4")
ABOVE = spoil_with("gradient", 20, above=RATE * 0.3)  # finite after two rollbacks


def test_a_rollback_continues_from_the_last_epoch_with_smaller_rates(tiny, tmp_path):
    """The reference is stopped after the first epoch and resumed with a smaller schedule."""
    rolled = run(tiny(*ROLLBACK), tmp_path / "a", ABOVE)
    run(tiny(*ROLLBACK, "max_epochs=1"), tmp_path / "b")

    def smaller(recipe, fold):
        return replace(recipe, schedule=lambda *place: 0.25 * recipe.schedule(*place))

    reference = run(tiny(*ROLLBACK), tmp_path / "b", smaller)
    assert same(rolled.model, reference.model)
    assert [record.metrics.get("train/rollbacks") for record in rolled.history] == [
        None, 2.0, None, None,
    ]  # fmt: skip
    assert [record.metrics["lr"] for record in rolled.history] == [RATE, *3 * [RATE / 4]]
    with pytest.raises(DivergedError, match=r"It has gone back to its last epoch 1 time before"):
        run(tiny(*ROLLBACK, "nonfinite.max_rollbacks=1"), tmp_path / "c", ABOVE)


class Killed(Observer):
    """Ends a run after its n-th step."""

    def __init__(self, at):
        self.left = at

    def watch(self, batches, count):
        for batch in batches:
            yield batch
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


@pytest.mark.parametrize("policy", [ROLLBACK, (*BASE, SKIP, "max_epochs=4")], ids=["back", "skip"])
def test_a_run_that_is_killed_anywhere_resumes_to_the_same_last_bit(policy, tiny, tmp_path):
    whole = run(tiny(*policy), tmp_path / "whole", ABOVE)
    for at in (4, 6, 8):
        cfg = tiny(*policy, "checkpoint_every=1")
        with pytest.raises(KeyboardInterrupt):
            run(cfg, tmp_path / str(at), ABOVE, [Killed(at)])
        resumed = run(cfg, tmp_path / str(at), ABOVE)
        assert same(whole.model, resumed.model)
        marks = [[r.metrics.get("train/rollbacks") for r in s.history] for s in (whole, resumed)]
        assert marks[0] == marks[1]


def lane_of(cfg, spoil):
    """Return a lane, whose loss is NaN in the second epoch until its rate is small."""
    state, fold, recipe = prepared(cfg)

    def loss(outputs, targets):
        rate = float(state.optimizer.param_groups[0]["lr"])
        due = spoil and len(state.history) == 1 and rate > RATE * 0.3
        return recipe.loss(outputs, targets) * (math.nan if due else 1.0)

    return Lane(state, fold, replace(recipe, loss=loss), [], "")


def test_lanes_roll_back_one_by_one(tiny):
    configs = [tiny(*ROLLBACK, "model.norm=none", f"seed={number}") for number in range(3)]
    lanes = [lane_of(cfg, spoil=number == 1) for number, cfg in enumerate(configs)]
    fit_together(lanes, engine="stacked")
    assert [lane.error for lane in lanes] == [None] * 3
    marks = [lane.state.history[1].metrics.get("train/rollbacks") for lane in lanes]
    assert marks == [None, 2.0, None]
    for number, lane in enumerate(lanes):
        alone = lane_of(configs[number], spoil=number == 1)
        fit(alone.state, alone.fold, alone.recipe)
        pairs = zip(alone.state.model.parameters(), lane.state.model.parameters(), strict=True)
        assert all(torch.allclose(one, other, atol=1e-5) for one, other in pairs)
