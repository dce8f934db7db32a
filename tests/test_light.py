"""Optimizers do without PyTorch's compiler what they do with it."""

import gc
import sys

import torch
from torch.optim import Optimizer, optimizer

from dlcourse.imports import import_to_stay
from dlcourse.light import leave_the_compiler_out


class Probe(Optimizer):
    """An optimizer with methods wrapped as PyTorch wraps its own, and one wrapped otherwise."""

    def __init__(self, differentiable=False):
        self.defaults = {"differentiable": differentiable}

    @optimizer._use_grad_for_differentiable
    def step(self, closure=None):
        """Say whether gradients are recorded, and what came."""
        return torch.is_grad_enabled(), closure

    @torch._disable_dynamo
    def zero_grad(self, set_to_none=True):
        return set_to_none

    @torch.no_grad()
    def other(self):
        return torch.is_grad_enabled()


def test_only_the_wrappers_that_import_the_compiler_are_taken_away():
    bare, other = Probe.zero_grad.__wrapped__, Probe.other
    leave_the_compiler_out()
    assert Probe.zero_grad is bare
    assert Probe.other is other
    assert Probe().step(3) == (False, 3)
    assert Probe(differentiable=True).step(closure=4) == (True, 4)
    assert Probe.step.__doc__.startswith("Say")
    again = Probe.step
    leave_the_compiler_out()
    assert Probe.step is again
    assert not hasattr(Optimizer.add_param_group, "__wrapped__")


def test_where_pytorch_has_no_such_wrappers_nothing_is_changed(monkeypatch):
    class Later(Probe):
        zero_grad = torch._disable_dynamo(lambda self: None)

    kept = Later.zero_grad
    monkeypatch.delattr(torch, "_disable_dynamo")
    monkeypatch.delattr(optimizer, "_use_grad_for_differentiable")
    leave_the_compiler_out()
    assert Later.zero_grad is kept


def test_what_is_imported_to_stay_is_out_of_the_collectors_sight(tmp_path, monkeypatch):
    (tmp_path / "much_code.py").write_text(
        "import gc\nON, ALL = gc.isenabled(), [[] for _ in 'ab']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        module = import_to_stay("much_code")
        assert not module.ON
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
        assert not any(thing is module.ALL for thing in gc.get_objects())
        gc.unfreeze()
        assert import_to_stay("much_code") is module
        assert gc.get_freeze_count() == 0, "frozen again"
    finally:
        gc.unfreeze()
        del sys.modules["much_code"]
