"""A captured step does what the step itself does; here, without a GPU, a graph is a call."""

import dataclasses
import logging

import pytest
import torch
from conftest import prepared, same

from dlcourse.train import capture
from dlcourse.train.capture import WARM_UP, Captured, captured
from dlcourse.train.fit import fit


@pytest.fixture
def graphs(monkeypatch):
    """Let a recording be a call with the recorded batch, and count replays."""
    replays = []

    def recorded(function, batch):
        return lambda: (replays.append(1), function(*batch))

    monkeypatch.setattr(capture, "aside", lambda function, batch: function(*batch))
    monkeypatch.setattr(capture, "recorded", recorded)
    return replays


@pytest.mark.parametrize("words", [
    ["optim=adam", "schedule=cosine"],
    ["optim=nesterov", "schedule=cosine", "optim.weight_decay=0.01"],
    ["optim=sgd", "average=ema", "clip=norm"],
    ["optim=muon"],
])  # fmt: skip
def test_replayed_training_ends_with_the_same_weights_and_figures(words, graphs, tiny):
    cfg = tiny("model=lenet", "model.dropout=0.2", "data.examples=100", "augment=[crop]", *words)
    runs = []
    for how in (capture.uncaptured, captured):
        state, fold, recipe = prepared(cfg)
        runs.append(fit(state, fold, dataclasses.replace(recipe, capture=how)))
    assert graphs
    if words[0] in ("optim=adam", "optim=muon"):  # divide a rate that a graph holds in float32
        for one, other in zip(*(run.model.parameters() for run in runs), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    else:
        assert same(runs[0].model, runs[1].model)
        assert same(runs[0].averaged, runs[1].averaged)
    for one, other in zip(runs[0].history, runs[1].history, strict=True):
        figures = {name: f for name, f in one.metrics.items() if name[:2] in ("tr", "va", "lr")}
        assert figures == pytest.approx({name: other.metrics[name] for name in figures}, rel=1e-4)


def test_batches_of_another_size_are_not_replayed(graphs):
    seen = []
    call = Captured(lambda batch: seen.append(batch.tolist()))
    batches = [torch.arange(n, n + size) for n, size in enumerate([2] * (WARM_UP + 2) + [1, 2])]
    for batch in batches:
        call(batch)
    assert seen == [batch.tolist() for batch in batches]
    assert len(graphs) == 3


def test_what_cannot_be_captured_goes_on_and_says_so_once(monkeypatch, caplog):
    def fail(function, batch):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(capture, "aside", lambda function, batch: function(*batch))
    monkeypatch.setattr(capture, "recorded", fail)
    seen = []
    call = Captured(lambda batch: seen.append(batch))
    with caplog.at_level(logging.WARNING):
        for _ in range(WARM_UP + 3):
            call(torch.zeros(2))
    assert len(seen) == WARM_UP + 3
    assert [r.getMessage() for r in caplog.records] == [
        "This goes on without a CUDA graph, for it cannot be captured: operation not permitted "
        "when stream is capturing"
    ]


@pytest.mark.parametrize("optim", ["adagrad", "sam", "lbfgs"])
def test_an_optimizer_that_counts_on_the_cpu_is_not_captured(optim, tiny, caplog):
    state = prepared(tiny("model=mlp", f"optim={optim}"))[0]
    function = print
    with caplog.at_level(logging.WARNING):
        result = captured(function, state)
    if result is function:
        assert "without a CUDA graph" in caplog.text
    else:
        assert optim == "sam"  # fused; but its own step is never captured
