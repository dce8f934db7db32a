"""What is not finite is never saved, neither weights nor results; the last good epoch is kept."""

import dataclasses
import math
from types import SimpleNamespace

import pytest
import torch
from conftest import options, prepared
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dlcourse import atomic_files
from dlcourse.errors import DivergedError, UserError
from dlcourse.runs import run_folder
from dlcourse.train import fit as fit_module
from dlcourse.train.checkpoint import read_best, restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.finite import FIRST_SCALE, infinite_buffers, not_finite, refuse_untrained
from dlcourse.train.fit import fit
from dlcourse.train.update import plain_update

WHOLE = {"gd": ["batch_size=full"], "lbfgs": ["batch_size=full"]}


def finite(content):
    if isinstance(content, torch.Tensor):
        return bool(content.isfinite().all())
    if isinstance(content, dict):
        return all(map(finite, content.values()))
    if isinstance(content, list | tuple):
        return all(map(finite, content))
    return not isinstance(content, float) or math.isfinite(content)


def spoil_the_last_gradient(state, fold, recipe, epoch=2):
    """Put NaN into the gradient of an epoch's last step; return the changed recipe."""
    last = range(0, len(fold.train), recipe.batch_size)[-1] // recipe.batch_size
    state.steps = 0
    update = recipe.average.update

    def hook(gradient):
        due = len(state.history) == epoch - 1 and state.steps == last
        return gradient * math.nan if due else gradient

    def counted(averaged, model, step):
        state.steps = step % (last + 1) + 1 if step % (last + 1) < last else 0
        update(averaged, model, step)

    next(state.model.parameters()).register_hook(hook)
    return dataclasses.replace(recipe, average=SimpleNamespace(update=counted))


def trained(cfg, folder, **parts):
    state, fold, recipe = prepared(cfg)
    recipe = dataclasses.replace(spoil_the_last_gradient(state, fold, recipe), **parts)
    folder.mkdir()
    fit(state, fold, recipe, [Checkpoint(folder)])


def kept(folder):
    return {
        name: atomic_files.load_checked(folder / "checkpoints" / name)
        for name in ("last.pt", "best.pt")
    }


@pytest.mark.parametrize(
    "overrides",
    [
        *([f"optim={name}"] for name in options("optim") if name != "closed_form"),
        ["average=ema"],
        ["average=lookahead"],
        ["max_epochs=1.5"],
        ["clip=norm"],
        ["model.norm=batch"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_a_gradient_that_is_not_finite_in_the_last_step_ends_the_run(overrides, tiny, tmp_path):
    name = overrides[0].removeprefix("optim=")
    cfg = tiny("model=mlp", "model.widths=[8]", "max_epochs=3", *overrides, *WHOLE.get(name, []))
    if overrides == ["max_epochs=1.5"]:  # one step an epoch: half an epoch has the last step
        cfg["batch_size"] = "full"
    with pytest.raises(DivergedError, match=r"(?s)epoch 2.*finite.*checkpoint of epoch 1 is kept"):
        trained(cfg, tmp_path / "run")
    saved = kept(tmp_path / "run")
    assert finite(saved)
    assert [epoch for epoch, _ in saved["last.pt"]["history"]] == [1]
    assert saved["best.pt"]["epoch"] == 1


def test_without_the_check_the_checkpoints_are_not_finite(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(fit_module, "refuse_divergence", lambda *_: None)
    monkeypatch.setattr(fit_module, "refuse_infinite_loss", lambda *_: None)
    trained(tiny("model=mlp", "max_epochs=2"), tmp_path / "run", update=plain_update)
    assert not finite(kept(tmp_path / "run"))


@pytest.mark.parametrize("where", ["weights", "statistics", "optimizer", "average"])
def test_every_part_of_a_state_is_checked(where, tiny):
    cfg = tiny("model=mlp", "model.norm=batch", "optim=adam", "average=ema", "max_epochs=2")
    state, fold, recipe = prepared(cfg)

    class Spoil(Checkpoint):
        def __init__(self):
            pass

        def start(self, *_):
            pass

        def epoch(self, state):
            pass

        def watch(self, batches, count):
            yield from batches
            parts = {
                "weights": next(state.model.parameters()),
                "statistics": next(b for b in state.model.buffers() if b.is_floating_point()),
                "optimizer": next(iter(state.optimizer.state.values()))["exp_avg_sq"],
                "average": next(state.averaged.parameters()),
            }
            parts[where].data.view(-1)[0] = math.inf

    with pytest.raises(DivergedError, match=r"epoch 1.*no longer finite"):
        fit(state, fold, recipe, [Spoil()])
    assert state.history == []


def test_an_infinite_validation_loss_ends_the_run_and_an_undefined_metric_does_not(tiny):
    class Undefined:
        def measure(self, outputs, targets):
            return outputs.new_zeros(1)

        def report(self, sums, examples):
            return {"undefined": math.nan}

    state, fold, recipe = prepared(tiny("model=mlp"))
    fit(state, fold, dataclasses.replace(recipe, metrics=[*recipe.metrics, Undefined()]))
    assert math.isnan(state.history[-1].metrics["val/undefined"])

    def loss(outputs, targets):
        return recipe.loss(outputs, targets) + math.inf

    state, fold, _ = prepared(tiny("model=mlp"))
    with pytest.raises(DivergedError, match="val/loss is inf"):
        fit(state, fold, dataclasses.replace(recipe, plain_loss=loss))
    assert state.history == []


@given(st.lists(st.floats(width=32), max_size=4), st.lists(st.floats(width=32), max_size=4))
def test_a_tensor_is_named_exactly_if_one_of_its_numbers_is_not_finite(first, second):
    tensors = {"first": torch.tensor(first), "second": torch.tensor(second)}
    expected = [n for n, numbers in (("first", first), ("second", second))
                if not all(map(math.isfinite, numbers))]  # fmt: skip
    assert not_finite(tensors | {"whole": torch.tensor([1])}) == expected


def test_a_mask_that_is_infinite_by_design_is_allowed(tiny, tmp_path):
    state, fold, recipe = prepared(tiny("model=mlp"))
    state.model.register_buffer("mask", torch.full((2, 2), -math.inf).triu(1).nan_to_num(0.0))
    state.model.mask[0, 1] = -math.inf
    assert infinite_buffers(state.model) == ["mask"]
    (tmp_path / "run").mkdir()
    fit(state, fold, recipe, [Checkpoint(tmp_path / "run")])
    read_best(state.model, tmp_path / "run")
    assert len(state.history) == 2


def test_initial_and_restored_weights_that_are_not_finite_are_refused(tiny, tmp_path):
    cfg = tiny("model=mlp")
    state, fold, recipe = prepared(cfg)
    (tmp_path / "run").mkdir()
    fit(state, fold, recipe, [Checkpoint(tmp_path / "run")])
    for name in ("last.pt", "best.pt"):
        path = tmp_path / "run/checkpoints" / name
        content = atomic_files.load_checked(path)
        content["model"]["output.bias"][0] = math.nan
        atomic_files.save_checked(path, content)
    state, fold, recipe = prepared(cfg)
    with pytest.raises(UserError, match=r"best\.pt holds weights .* finite: output\.bias"):
        read_best(state.model, tmp_path / "run")
    with pytest.raises(UserError, match="initial weights are not finite"):
        fit(state, fold, recipe)
    state, fold, recipe = prepared(cfg)
    with pytest.raises(UserError, match="checkpoint of epoch 2 holds numbers"):
        fit(restore(state, tmp_path / "run"), fold, recipe)


def scaled(state):
    """Scale the loss as for fp16, and let every gradient overflow."""
    state.scaler = torch.amp.GradScaler("cpu", init_scale=FIRST_SCALE)
    next(state.model.parameters()).register_hook(lambda gradient: gradient * math.inf)


def test_a_run_whose_steps_were_all_skipped_has_diverged(tiny):
    """The loss scaler skips what overflows, on the CPU as on a GPU."""
    state, fold, recipe = prepared(tiny("model=mlp", "optim=rmsprop"))
    scaled(state)
    before = [parameter.clone() for parameter in state.model.parameters()]
    with pytest.raises(DivergedError, match="all 6 steps were skipped"):
        fit(state, fold, recipe)
    assert all(map(torch.equal, before, state.model.parameters()))
    state, fold, recipe = prepared(tiny("model=mlp", "optim=rmsprop", "max_epochs=20"))
    scaled(state)
    with pytest.raises(DivergedError, match=r"(?s)loss scale of .*precision=bf16"):
        fit(state, fold, recipe)
    state.history, state.scaler = [1], torch.amp.GradScaler("cpu", init_scale=FIRST_SCALE / 4)
    refuse_untrained(state, 3, ".")  # two of three were skipped


def test_a_system_that_cannot_be_solved_ends_the_run(tiny):
    state, fold, recipe = prepared(tiny("model=mlp"))

    def step(*_):
        return torch.linalg.solve(torch.zeros(2, 2), torch.zeros(2))

    with pytest.raises(DivergedError, match=r"epoch 1.*singular"):
        fit(state, fold, dataclasses.replace(recipe, step=step))


class Network(nn.Module):
    """A model whose last gradient in an epoch is not finite; its loss always is."""

    def __init__(self, input_shape, output_size, *, at):
        super().__init__()
        self.layer = nn.Linear(784, output_size)
        self.steps, self.at = 0, at

    def forward(self, x):
        y = self.layer(x.flatten(1))
        self.steps += self.training
        due = self.training and self.steps == self.at
        return y + 0 * torch.sqrt((self.layer.weight * 0).sum()) if due else y


def test_a_diverged_command_writes_no_result_and_its_run_is_not_resumed(here, tmp_path):
    folder = tmp_path / "own/model"
    folder.mkdir(parents=True)
    text = f"_target_: {__name__}.Network\n_partial_: true\nat: 6\n"
    (folder / "own.yaml").write_text(text)
    overrides = ["model=own", "data.examples=60", "batch_size=16", "max_epochs=4", "runtime=cpu"]
    ended = here("--config-dir", "own", *overrides, "hydra.run.dir=run")
    assert ended.returncode == 1
    assert "Training diverged in epoch 2" in ended.stderr
    assert "Results are in" not in ended.stdout
    left = {path.name: path.read_text() for path in (tmp_path / "run").glob("*.json*")}
    assert not any(word in text for text in left.values() for word in ("NaN", "Infinity"))
    assert "result.json" not in left
    assert len(left["history.jsonl"].splitlines()) == 1
    assert finite(kept(tmp_path / "run"))
    again = here("resume=run", f"trust=[{__name__}]")
    assert again.returncode == 2
    assert "diverged in epoch 2" in again.stderr
    assert "failure.json" in again.stderr
    assert finite(kept(tmp_path / "run"))


def test_epochs_before_an_overflow_of_the_validation_loss_are_recorded(here, tmp_path):
    overrides = ["data=sine", "model=polynomial", "optim=gd", "optim.lr=1000", "batch_size=full"]
    overrides += ["max_epochs=9", "runtime=cpu", "observe=[history]"]
    ended = here(*overrides, "hydra.run.dir=run")
    assert ended.returncode == 1
    assert "at a learning rate of 1000: val/loss is inf" in ended.stderr  # before the train loss
    record = run_folder.read_json(tmp_path / "run/result.json", "")
    assert (record["ended_by"], record["test"]) == ("diverged", {})
    assert record["epochs"] >= 1
    assert run_folder.read_result(tmp_path / "run") is None


def test_a_sweep_reports_a_diverged_job_and_runs_the_others(here, tmp_path):
    overrides = ["-m", "model=linear", "loss=mse", "optim=sgd", "optim.lr=0.01,900", "max_epochs=9"]
    small = ["data.examples=60", "runtime=cpu", "observe=[]", "hydra.sweep.dir=sweep"]
    ended = here(*overrides, *small)
    assert ended.returncode == 1
    assert "Training diverged in epoch" in ended.stdout + ended.stderr
    failure = run_folder.read_json(tmp_path / "sweep/lr-900/failure.json", "")
    assert failure["diverged"] is True
    assert failure["reason"].startswith("Training diverged in epoch")
    table = (tmp_path / "sweep/results.csv").read_text()
    assert "diverged" in table
    assert "0.01" in table
