"""skip_dynamo: optimizers step as before, and PyTorch's compiler is not imported."""

import gc
import sys

import torch
from torch.optim import Optimizer, optimizer

from dlcourse.machine.frozen_import import frozen_import
from dlcourse.machine.skip_dynamo import restore_dynamo, skip_dynamo


def probe() -> type[Optimizer]:
    """Return a new optimizer class: two methods have PyTorch's own wrappers, one has another."""

    class Probe(Optimizer):
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

    return Probe


def test_only_the_wrappers_that_import_the_compiler_are_removed():
    made = probe()
    bare, other = made.zero_grad.__wrapped__, made.other
    skip_dynamo()
    assert made.zero_grad is bare
    assert made.other is other
    assert made().step(3) == (False, 3)
    assert made(differentiable=True).step(closure=4) == (True, 4)
    assert made.step.__doc__.startswith("Say")
    again = made.step
    skip_dynamo()
    assert made.step is again
    assert not hasattr(Optimizer.add_param_group, "__wrapped__")


def test_restoring_brings_back_the_original_methods():
    made = probe()
    before = dict(vars(made))
    skip_dynamo()
    assert made.step is not before["step"]
    restore_dynamo()
    assert dict(vars(made)) == before
    assert hasattr(Optimizer.add_param_group, "__wrapped__")


def test_without_such_wrappers_in_pytorch_nothing_is_changed(monkeypatch):
    made = probe()
    kept = made.zero_grad
    monkeypatch.delattr(torch, "_disable_dynamo")
    monkeypatch.delattr(optimizer, "_use_grad_for_differentiable")
    skip_dynamo()
    assert made.zero_grad is kept


def test_objects_of_a_frozen_import_are_ignored_by_the_garbage_collector(tmp_path, monkeypatch):
    (tmp_path / "much_code.py").write_text(
        "import gc\nON, ALL = gc.isenabled(), [[] for _ in 'ab']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    gc.unfreeze()
    try:
        module = frozen_import("much_code")
        assert not module.ON
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
        assert not any(thing is module.ALL for thing in gc.get_objects())
        gc.unfreeze()
        assert frozen_import("much_code") is module
        assert gc.get_freeze_count() == 0, "frozen again"
    finally:
        gc.freeze()
        del sys.modules["much_code"]
