"""Training on an NVIDIA GPU: precisions, determinism, CUDA graphs, no synchronisation in a step."""

import dataclasses
import gc

import pytest
import torch
from conftest import no_waiting, prepared

from dlcourse.core import Fold, Observer
from dlcourse.data.transforms import standardize
from dlcourse.engine.assemble import make_recipe, make_state
from dlcourse.engine.datasets import load_data
from dlcourse.engine.instantiate import build
from dlcourse.engine.run import run
from dlcourse.machine.cuda_graph import GraphedFunction
from dlcourse.runs import run_folder
from dlcourse.train.evaluate import eval_runner, run_evaluation
from dlcourse.train.fit import fit
from dlcourse.train.step import gradient_step

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU"),
]
GPU = ["runtime=cuda", "observe=[history]", "data.examples=300", "max_epochs=4"]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("model", ["mlp", "lenet"])
def test_a_model_learns_in_every_precision(model, precision, compose, tmp_path):
    overrides = [
        f"model={model}",
        f"runtime.precision={precision}",
        "max_epochs=15",
        "optim.lr=0.003",
    ]
    run(compose(*GPU, *overrides), tmp_path / "run")
    result = run_folder.read_result(tmp_path / "run")
    assert result["device"].startswith("cuda")
    assert result["test"]["accuracy"] > 0.7


def test_training_on_gpu_and_cpu_gives_the_same_loss(compose, tmp_path):
    losses = []
    for runtime in ("cpu", "cuda"):
        cfg = compose(*GPU, f"runtime={runtime}", "model=mlp", "max_epochs=2", "optim=sgd")
        run(cfg, tmp_path / runtime)
        losses.append(run_folder.read_result(tmp_path / runtime)["test"]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_deterministic_run_repeated_gives_the_same_result(precision, compose, tmp_path):
    results = []
    for name in ("a", "b"):
        overrides = [
            "model=lenet",
            "model.dropout=0.3",
            "runtime.deterministic=true",
            "augment=[crop,noise]",
        ]
        run(compose(*GPU, *overrides, f"runtime.precision={precision}"), tmp_path / name)
        results.append(run_folder.read_result(tmp_path / name)["test"])
    assert results[0] == results[1]


def test_no_step_waits_for_the_gpu(compose):
    overrides = ["model=lenet", "augment=[crop,flip,noise]", "regularizer=[l1,l2]", "clip=norm"]
    cfg = compose(*GPU, *overrides, "max_epochs=1", "schedule=cosine", "runtime.graph=false")
    runtime, dataset = build(cfg["runtime"])(), load_data(cfg)
    train = dataset.train.to(runtime.device)
    fold = Fold(".", train, None, standardize(train, "channel"))
    recipe = make_recipe(cfg, runtime, dataset, fold)
    fit(make_state(cfg, runtime, dataset), fold, recipe)  # loading libraries may wait

    def watched_step(state, inputs, targets, recipe):
        with no_waiting():
            return gradient_step(state, inputs, targets, recipe)

    watched = dataclasses.replace(recipe, step=watched_step)
    assert len(fit(make_state(cfg, runtime, dataset), fold, watched).history) == 1


@pytest.mark.parametrize("overrides", [
    ["model=mlp"],
    ["model=lenet", "runtime.precision=bf16"],
    ["model=airbench", "model.widths=[16]", "optim=muon", "runtime.precision=bf16",
     "view=[mirror]"],
], ids=lambda overrides: overrides[0])  # fmt: skip
def test_a_compiled_and_captured_model_trains_as_the_eager_one(
    overrides, compose, tmp_path, caplog
):
    tests = []
    for compiled, graph in (("true", "true"), ("false", "false")):
        own = [*overrides, f"runtime.compile={compiled}", f"runtime.graph={graph}", "max_epochs=2"]
        run(compose(*GPU, *own), tmp_path / compiled)
        tests.append(run_folder.read_result(tmp_path / compiled)["test"])
    assert "without a CUDA graph" not in caplog.text
    tolerance = 5e-2 if "runtime.precision=bf16" in overrides else 1e-2
    assert tests[0]["loss"] == pytest.approx(tests[1]["loss"], rel=tolerance)


CAPTURED = [
    ["optim=adam", "schedule=cosine"],
    ["optim=nesterov", "optim.weight_decay=0.001", "clip=norm"],
    ["optim=muon"],
    ["optim=rmsprop", "average=ema"],
    ["optim=adamw", "runtime.precision=bf16", "augment=[crop,flip,cutout]"],
]


@pytest.mark.parametrize("overrides", CAPTURED, ids=lambda overrides: overrides[0])
def test_a_cuda_graph_gives_the_loss_of_the_eager_step(overrides, compose, tmp_path, caplog):
    tests = []
    for graph in ("true", "false"):
        own = ["model=lenet", "model.dropout=0.1", "runtime.deterministic=true", *overrides]
        run(compose(*GPU, *own, f"runtime.graph={graph}"), tmp_path / graph)
        tests.append(run_folder.read_result(tmp_path / graph)["test"])
    assert "without a CUDA graph" not in caplog.text
    tolerance = 3e-2 if "runtime.precision=bf16" in overrides else 1e-3
    assert tests[0]["loss"] == pytest.approx(tests[1]["loss"], rel=tolerance)


@pytest.mark.parametrize("model", ["mlp", "lenet", "resnet20", "vit", "alexnet"])
def test_the_step_of_a_common_model_is_captured_as_a_cuda_graph(model, compose, tmp_path, caplog):
    run(compose(*GPU, f"model={model}", "max_epochs=1"), tmp_path / "run")
    assert "without a CUDA graph" not in caplog.text


def test_a_run_with_a_cuda_graph_resumes_to_the_same_result(compose, tmp_path):
    overrides = [*GPU, "model=lenet", "model.dropout=0.3", "runtime.deterministic=true"]
    run(compose(*overrides), tmp_path / "whole")

    class Stopped(Exception):
        pass

    class Stop(Observer):
        def epoch(self, state):
            if len(state.history) == 2:
                raise Stopped

    with pytest.raises(Stopped):
        run(compose(*overrides), tmp_path / "stopped", observers=[Stop()])
    run(compose(*overrides), tmp_path / "stopped")
    results = [run_folder.read_result(tmp_path / name)["test"] for name in ("whole", "stopped")]
    assert results[0] == results[1]


def test_tf32_trains_and_its_switch_does_not_outlive_the_run(compose, tmp_path):
    run(compose(*GPU, "model=lenet", "max_epochs=15", "optim.lr=0.003",
                "runtime.precision=tf32"), tmp_path / "run")  # fmt: skip
    assert run_folder.read_result(tmp_path / "run")["test"]["accuracy"] > 0.7
    numbers = torch.rand(64, 64, device="cuda")
    rounded = numbers @ numbers
    build(compose(*GPU, "runtime.precision=fp32")["runtime"])()
    exact = (numbers.double() @ numbers.double()).float()
    assert (numbers @ numbers - exact).abs().max() < 1e-4
    assert (rounded - exact).abs().max() > 1e-4, "the control: TF32 has 10 bits"


def evaluated(compose, graph: str, monkeypatch):
    """Return the outputs of a model with views in batches of 32, and the evaluation's replays."""
    monkeypatch.setattr("dlcourse.train.evaluate.EVALUATION_BATCH", 32)
    cfg = compose(*GPU, "model=lenet", "view=[shift,mirror]", "runtime.deterministic=true",
                  f"runtime.graph={graph}")  # fmt: skip
    state, fold, recipe = prepared(cfg)
    runner = eval_runner(state.model, fold.train, fold.standardize, recipe, keep=True)
    outputs, targets = run_evaluation(state.model, runner).kept_outputs()
    assert torch.equal(targets, fold.train.targets.cpu())
    return outputs, getattr(runner.process, "replay", None)


def test_test_time_views_are_captured_with_their_outputs(compose, monkeypatch):
    (one, replay), (other, none) = (evaluated(compose, g, monkeypatch) for g in ("true", "false"))
    assert replay
    assert not none
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_the_memory_of_a_run_is_free_for_the_next_one(compose, tmp_path):
    used = []
    for number in range(3):
        run(compose(*GPU, "model=lenet", f"seed={number}"), tmp_path / str(number))
        gc.collect()
        torch.cuda.empty_cache()
        used.append(torch.cuda.memory_reserved())
    assert used[2] == used[1]


def test_a_step_that_copies_a_value_to_the_cpu_runs_eagerly_with_a_warning(caplog):
    seen = []
    call = GraphedFunction(lambda batch: seen.append(batch.sum().item()))
    for number in range(6):
        call(torch.full((2,), float(number), device="cuda"))
    assert seen == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert "without a CUDA graph" in caplog.text


def fails_to_be_captured(function):
    """Try to capture a function that copies a value to the CPU, which fails."""
    call = GraphedFunction(lambda batch: function(batch).sum().item())
    for _ in range(6):
        call(torch.ones(8, device="cuda"))
    assert call.impossible


def test_a_failed_capture_leaves_streams_graphs_and_dropout_working():
    drop = torch.nn.Dropout(0.5).cuda()
    stream = torch.cuda.current_stream()
    before = GraphedFunction(lambda batch: kept.copy_(drop(batch)))
    kept = torch.zeros(8, device="cuda")
    for _ in range(5):
        before(torch.ones(8, device="cuda"))
    assert before.replay
    fails_to_be_captured(drop)
    assert torch.cuda.current_stream() == stream
    draws = []
    for _ in range(2):  # eager and replayed dropout work, and follow the seed
        torch.manual_seed(0)
        eager = drop(torch.ones(1000, device="cuda"))
        before(torch.ones(8, device="cuda"))
        draws.append((eager.clone(), kept.clone()))
    assert all(torch.equal(one, other) for one, other in zip(*draws, strict=True))


def test_a_failed_capture_leaves_the_random_numbers_unchanged():
    drop = torch.nn.Dropout(0.5).cuda()
    results = []
    for run_first in (fails_to_be_captured, lambda function: [function(torch.ones(8).cuda())] * 6):
        run_first(lambda batch: batch * 2)
        torch.manual_seed(3)
        results.append(drop(torch.ones(1000, device="cuda")))
    assert torch.equal(*results)


@pytest.mark.parametrize("model", ["convnet", "googlenet", "lenet", "vit"])
def test_a_model_with_dropout_trains_when_its_step_cannot_be_captured(
    model, compose, tmp_path, monkeypatch, caplog
):
    step = gradient_step

    def reads_back(state, inputs, targets, recipe):
        outputs, loss = step(state, inputs, targets, recipe)
        loss.item()
        return outputs, loss

    monkeypatch.setattr("dlcourse.engine.assemble.gradient_step", reads_back)
    monkeypatch.setattr("dlcourse.engine.assemble.step_of", lambda cfg: reads_back)
    overrides = [f"model={model}", "model.dropout=0.3", "max_epochs=2", "batch_size=32"]
    run(compose(*GPU, *overrides), tmp_path / "run")
    assert "without a CUDA graph" in caplog.text
    assert run_folder.read_result(tmp_path / "run")["epochs"] == 2
