"""Only the training steps of the first size of batch are compiled, before the clock starts."""

import dataclasses

import pytest
import torch
from conftest import prepared, same
from torch import nn

from dlcourse.machine.compiled import compile_for_training
from dlcourse.train.fit import fit
from dlcourse.train.rehearse import no_rehearsal, rehearse


@pytest.fixture
def compiled_calls(monkeypatch):
    """Replace PyTorch's compiler by the plain forward pass; record the shapes that it gets."""
    shapes = []

    def compile_(model, **options):
        def forward(*inputs):
            shapes.append(tuple(inputs[0].shape))
            return model._call_impl(*inputs)

        model._compiled_call_impl = forward

    monkeypatch.setattr(nn.Module, "compile", compile_)
    return shapes


def test_only_training_batches_of_the_first_size_are_compiled(compiled_calls):
    model = nn.Sequential(nn.Linear(3, 2))
    compile_for_training(model)
    model(torch.ones(4, 3))
    model(torch.ones(4, 3))
    model(torch.ones(2, 3))  # the last batch of an epoch
    with torch.no_grad():
        model(torch.ones(4, 3))
    model.eval()
    model(torch.ones(4, 3))
    assert compiled_calls == [(4, 3), (4, 3)]


def test_a_compiled_run_compiles_before_its_clock_starts_and_trains_alike(
    compiled_calls, tiny, capsys
):
    overrides = ["model=lenet", "model.norm=batch", "model.dropout=0.2", "optim=adam"]
    plain = fit(*prepared(tiny(*overrides)))
    assert compiled_calls == []
    compiled = fit(*prepared(tiny(*overrides, "runtime.compile=true")))
    assert "before the training time starts" in capsys.readouterr().out
    assert len(compiled_calls) > len(compiled.history)
    assert same(plain.model, compiled.model)
    buffers = zip(plain.model.buffers(), compiled.model.buffers(), strict=True)
    assert all(torch.equal(one, other) for one, other in buffers)


def test_a_rehearsal_changes_nothing_and_the_control_does(tiny):
    state, fold, recipe = prepared(tiny("model=lenet", "model.norm=batch", "optim=adam"))
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    rehearse(state, fold, recipe)
    assert all(torch.equal(before[name], now) for name, now in state.model.state_dict().items())
    assert all(weight.grad is None for weight in state.model.parameters())
    assert not state.optimizer.state
    fit(state, fold, dataclasses.replace(recipe, max_epochs=1))
    assert not all(torch.equal(before[name], now) for name, now in state.model.state_dict().items())


def test_an_uncompiled_run_has_no_rehearsal(tiny):
    assert prepared(tiny("model=mlp"))[2].rehearse is no_rehearsal
