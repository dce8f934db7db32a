"""Keep optimizers from importing PyTorch's compiler, which takes a second."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import torch
from torch.optim import (
    Optimizer,
    optimizer,  # pyright: ignore[reportAttributeAccessIssue]
)

REPLACED: list[tuple[type, str, Any]] = []
"""The wrapped methods of PyTorch that are replaced in this process: class, name, original."""


def skip_dynamo() -> None:
    """Replace the optimizers' wrapped methods by those without ``torch._dynamo``, bitwise equal.

    PyTorch wraps methods of optimizers so that its compiler skips them: ``_disable_dynamo`` wraps
    ``add_param_group``, ``zero_grad``, ``state_dict`` and ``load_state_dict``, and
    ``_use_grad_for_differentiable`` most of the ``step``. Both import the compiler at their first
    call, even if nothing is compiled. Here the wrapped function replaces the wrapper, and ``step``
    still switches gradients off.

    The wrappers are recognised by their code. If PyTorch has no such wrappers, nothing is replaced,
    and importing the compiler takes a second. Not for a run that compiles: see ``restore_dynamo``.
    """
    disable = getattr(torch, "_disable_dynamo", None)
    switch = getattr(optimizer, "_use_grad_for_differentiable", None)
    for kind in (Optimizer, *descendants(Optimizer)):
        for name, method in list(vars(kind).items()):
            if is_made_by(disable, method):
                replace(kind, name, method, method.__wrapped__)
            elif is_made_by(switch, method):
                replace(kind, name, method, without_gradients(method.__wrapped__))


def restore_dynamo() -> None:
    """Put back all methods that ``skip_dynamo`` has replaced in this process."""
    while REPLACED:
        kind, name, original = REPLACED.pop()
        setattr(kind, name, original)


def replace(kind: type, name: str, original: Any, method: Callable) -> None:
    """Replace a method of a class, and record the original in ``REPLACED``."""
    REPLACED.append((kind, name, original))
    setattr(kind, name, method)


def descendants(kind: type) -> Iterator[type]:
    """Yield all subclasses of a class, direct and indirect."""
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


def is_made_by(decorator: Callable | None, method: Any) -> bool:
    """Return whether a method is the wrapper that a decorator made around another function."""
    code = getattr(method, "__code__", None)
    if decorator is None or code is None or not hasattr(method, "__wrapped__"):
        return False
    return code is decorator(lambda: None).__code__


def without_gradients(step: Callable) -> Callable:
    """Return an optimizer's step that records gradients only if it is to be differentiable."""

    @wraps(step)
    def quiet(self: Optimizer, *args: Any, **keywords: Any) -> Any:
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return step(self, *args, **keywords)

    return quiet
