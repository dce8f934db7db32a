"""A step as a CUDA graph equals the eager step. Without a GPU a function replaces the graph."""

import dataclasses
import gc
import logging
import weakref
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from conftest import prepared, same

from dlcourse.engine.assemble import graphs_of
from dlcourse.machine import cuda_graph
from dlcourse.machine.cuda_graph import SECOND_TRY, WARM_UP, GraphedFunction, graphed
from dlcourse.train.evaluate import evaluate_split
from dlcourse.train.fit import fit, train_runner


@pytest.fixture
def graphs(monkeypatch):
    """Replace a graph by a function that uses the captured batch; count the replays."""
    replays = []

    def capture_graph(function, batch):
        return lambda: (replays.append(1), function(*batch))

    monkeypatch.setattr(cuda_graph, "run_on_side_stream", lambda function, batch: function(*batch))
    monkeypatch.setattr(cuda_graph, "capture_graph", capture_graph)
    return replays


@pytest.mark.parametrize("overrides", [
    ["optim=adam", "schedule=cosine"],
    ["optim=nesterov", "schedule=cosine", "optim.weight_decay=0.01"],
    ["optim=sgd", "average=ema", "clip=norm"],
    ["optim=muon"],
])  # fmt: skip
def test_training_with_graphs_ends_with_the_same_weights_and_metrics(overrides, graphs, tiny):
    cfg = tiny(
        "model=lenet", "model.dropout=0.2", "data.examples=100", "augment=[crop]", *overrides
    )
    runs = []
    for how in (cuda_graph.eager, graphed):
        state, fold, recipe = prepared(cfg)
        runs.append(fit(state, fold, dataclasses.replace(recipe, graph=how)))
    assert graphs
    if overrides[0] in (
        "optim=adam",
        "optim=muon",
    ):  # they divide a rate that a graph keeps in float32
        for one, other in zip(*(run.model.parameters() for run in runs), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    else:
        assert same(runs[0].model, runs[1].model)
        assert same(runs[0].averaged, runs[1].averaged)
    for one, other in zip(runs[0].history, runs[1].history, strict=True):
        values = {name: f for name, f in one.metrics.items() if name[:2] in ("tr", "va", "lr")}
        assert values == pytest.approx({name: other.metrics[name] for name in values}, rel=1e-4)


def test_only_batches_of_the_captured_size_are_replayed(graphs):
    seen = []
    call = GraphedFunction(lambda batch: seen.append(batch.tolist()))
    batches = [torch.arange(n, n + size) for n, size in enumerate([2] * (WARM_UP + 2) + [1, 2])]
    for batch in batches:
        call(batch)
    assert seen == [batch.tolist() for batch in batches]
    assert len(graphs) == 3


def test_a_failed_capture_continues_eagerly_and_warns_once(monkeypatch, caplog):
    def fail(function, batch):
        try:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        finally:  # as the end of the capture does
            raise RuntimeError("operation failed due to a previous error during capture")

    monkeypatch.setattr(cuda_graph, "run_on_side_stream", lambda function, batch: function(*batch))
    monkeypatch.setattr(cuda_graph, "capture_graph", fail)
    seen = []
    call = GraphedFunction(lambda batch: seen.append(batch))
    with caplog.at_level(logging.WARNING):
        for _ in range(SECOND_TRY + 3):
            call(torch.zeros(2))
    assert len(seen) == SECOND_TRY + 3
    assert [r.getMessage() for r in caplog.records] == [
        "Continuing without a CUDA graph, its capture failed: operation not permitted "
        "when stream is capturing"
    ]


def test_a_capture_that_fails_once_is_tried_again_after_more_eager_batches(graphs, monkeypatch):
    works, tries, seen = cuda_graph.capture_graph, [], []

    def fail_first(function, batch):
        tries.append(len(seen))
        if len(tries) == 1:
            raise RuntimeError("a library is loaded at the second step")
        return works(function, batch)

    monkeypatch.setattr(cuda_graph, "capture_graph", fail_first)
    call = GraphedFunction(lambda batch: seen.append(batch.item()))
    for number in range(SECOND_TRY + 3):
        call(torch.tensor(float(number)))
    assert tries == [WARM_UP, SECOND_TRY]
    assert seen == list(range(SECOND_TRY + 3))
    assert len(graphs) == 3
    assert not call.impossible


@pytest.mark.parametrize(("training", "expected"), [
    (True, [True, True, False]), (False, [False, False, False])
])  # fmt: skip
def test_cudnn_times_kernels_only_for_the_size_that_is_trained(
    training, expected, graphs, monkeypatch
):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    found = []
    call = GraphedFunction(lambda batch: found.append(torch.backends.cudnn.benchmark), training)
    call(torch.zeros(2))
    monkeypatch.setattr(cuda_graph, "capture_graph", lambda function, batch: function(*batch))
    call(torch.zeros(2))
    call(torch.zeros(1))
    assert found[:2] == expected[:2]
    assert found[-1] is False
    assert torch.backends.cudnn.benchmark is True


@pytest.mark.parametrize(("epochs", "expected"), [(2, False), (700, True)])
def test_only_a_long_run_lets_cudnn_time_its_kernels(epochs, expected, tiny):
    state, _, _ = prepared(tiny("model=mlp"))
    graphs = graphs_of({"batch_size": 20, "max_epochs": epochs, "steps_per_epoch": None}, 60)
    assert graphs(print, state).benchmark is expected
    assert graphs(print, None).benchmark is False, "evaluation"


def test_a_captured_evaluation_keeps_the_outputs_of_every_batch(graphs, tiny, monkeypatch):
    monkeypatch.setattr("dlcourse.train.evaluate.EVALUATION_BATCH", 7)
    state, fold, recipe = prepared(tiny("model=mlp", "data.examples=100", "view=[]"))
    kept = []
    for how in (cuda_graph.eager, graphed):
        own = dataclasses.replace(recipe, graph=how)
        meter = evaluate_split(state.model, fold.train, fold.standardize, own, keep=True)
        kept.append(meter.kept_outputs())
    assert graphs
    assert len(kept[0][0]) == len(fold.train)
    assert all(torch.equal(one, other) for one, other in zip(*kept, strict=True))
    assert torch.equal(kept[0][1], fold.train.targets)


def test_a_graph_is_free_as_soon_as_its_runner_is(graphs, tiny):
    state, fold, recipe = prepared(tiny("model=mlp", "data.examples=100"))
    runner = train_runner(state, fold, dataclasses.replace(recipe, graph=graphed))
    graph = weakref.ref(runner.process)
    gc.disable()
    try:
        del runner
        assert graph() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("optim", ["adagrad", "sam", "lbfgs"])
def test_an_optimizer_that_counts_steps_on_the_cpu_gets_no_graph(optim, tiny, caplog):
    state = prepared(tiny("model=mlp", f"optim={optim}"))[0]
    function = print
    with caplog.at_level(logging.WARNING):
        result = graphed(function, state)
    if result is function:
        assert "without a CUDA graph" in caplog.text
    else:
        assert optim == "sam"  # fused; its own step is never captured


@pytest.mark.parametrize("fails", [True, False])
def test_clean_up_runs_only_after_a_failed_capture(fails, monkeypatch):
    def function(batch):
        if fails:
            raise RuntimeError("operation not permitted")

    cleaned = []
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay="replay"))
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 1))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "stream")
    monkeypatch.setattr(torch.cuda, "graph", lambda *_, **__: nullcontext())
    monkeypatch.setattr(cuda_graph, "clean_up", lambda *what: cleaned.append(what))
    with pytest.raises(RuntimeError, match="not permitted") if fails else nullcontext():
        assert cuda_graph.capture_graph(function, (torch.zeros(2),)) == "replay"
    assert cleaned == ([("stream", (0, 1))] if fails else [])
