"""PyTorch without its compiler: a second of import that a run which compiles nothing can save."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import torch
from torch.optim import Optimizer, optimizer


def leave_the_compiler_out() -> None:
    """Let this process's optimizers work without ``torch._dynamo``, to the same last bit.

    PyTorch wraps their methods to tell its compiler where to stay away: ``_disable_dynamo`` is
    around ``add_param_group``, ``zero_grad``, ``state_dict`` and ``load_state_dict``,
    ``_use_grad_for_differentiable`` around most of the ``step``. Both import the compiler when they
    are first called, whether anything is compiled or not. Here what is wrapped takes the wrapper's
    place, and ``step`` goes on switching gradients off.

    The wrappers are known by their code. Where PyTorch has none of them, or others, nothing is
    changed and the import takes its second. Not for a run that compiles.
    """
    disable = getattr(torch, "_disable_dynamo", None)
    switch = getattr(optimizer, "_use_grad_for_differentiable", None)
    for kind in (Optimizer, *descendants(Optimizer)):
        for name, method in list(vars(kind).items()):
            if is_made_by(disable, method):
                setattr(kind, name, method.__wrapped__)
            elif is_made_by(switch, method):
                setattr(kind, name, without_gradients(method.__wrapped__))


def descendants(kind: type) -> Iterator[type]:
    """Yield the classes derived from one, and those derived from them."""
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


def is_made_by(decorator: Callable | None, method: Any) -> bool:
    """Return whether a method is what a decorator has put around another function."""
    code = getattr(method, "__code__", None)
    if decorator is None or code is None or not hasattr(method, "__wrapped__"):
        return False
    return code is decorator(lambda: None).__code__


def without_gradients(step: Callable) -> Callable:
    """Return an optimizer's step that records gradients only where it is to be differentiable."""

    @wraps(step)
    def quiet(self: Optimizer, *args: Any, **keywords: Any) -> Any:
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return step(self, *args, **keywords)

    return quiet
