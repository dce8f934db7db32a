"""Find a network's layers, and record what they compute."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.errors import UserError, meant
from dlcourse.introspect.activations import first_tensor
from dlcourse.layer.pool import PoolFirst
from dlcourse.look.registry import NotApplicableError

MOST_LISTED = 30


@dataclass(frozen=True)
class LookLayer:
    """A layer that ran. shape: of its first output, without the batch."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]

    @property
    def kind(self) -> str:
        """The name of its class."""
        return type(self.module).__name__

    def __str__(self) -> str:
        return f"{self.name} ({self.kind}, {' x '.join(map(str, self.shape))})"


@torch.no_grad()
def layers_that_ran(network: nn.Module, inputs: Tensor) -> list[LookLayer]:
    """Return the layers of a network in the order in which they ended, blocks included.

    inputs: standardised, (1, ...).
    """
    found: dict[str, LookLayer] = {}
    with ExitStack() as stack:
        stack.enter_context(as_listed(network))
        for name, module in network.named_modules():
            if not name:
                continue

            def record(module: nn.Module, _: Any, output: Any, name: str = name) -> None:
                made = first_tensor(output)
                if made is not None:
                    found.setdefault(name, LookLayer(name, module, tuple(made.shape[1:])))

            stack.callback(module.register_forward_hook(record).remove)
        network(inputs)
    return list(found.values())


@contextmanager
def as_listed(network: nn.Module):
    """Apply layers in the order in which they are listed: a ReLU before the pooling after it."""
    swapping = [part for part in network.modules() if isinstance(part, PoolFirst)]
    for part in swapping:
        part.as_designed = True
    try:
        yield
    finally:
        for part in swapping:
            part.as_designed = False


@contextmanager
def recorded(network: nn.Module, layers: Iterable[LookLayer], *, inputs: bool = False):
    """Yield a dict that holds each layer's output, by name, after the network has run.

    inputs: the layer's first input instead. Outputs are kept with their graph, so that gradients
    with respect to them can be computed. A layer that runs several times is recorded the first
    time.
    """
    kept: dict[str, Tensor] = {}
    with ExitStack() as stack:
        stack.enter_context(as_listed(network))
        for layer in layers:

            def keep(_: nn.Module, given: Any, output: Any, name: str = layer.name) -> None:
                made = first_tensor(given if inputs else output)
                if made is not None:
                    kept.setdefault(name, made)

            stack.callback(layer.module.register_forward_hook(keep).remove)
        yield kept


def chosen_layer(
    layers: Sequence[LookLayer],
    name: str,
    shows: Callable[[LookLayer], bool],
    what: str,
    kind: str,
    default: int = 0,
) -> LookLayer:
    """Return the layer with this name; without a name, one of those that can be shown.

    shows: whether a layer can be shown. what: the ``what``, for messages. kind: what it needs,
    ``"a convolution"``. default: the position among those that can be shown.

    Raises NotApplicableError if there is none, and UserError for a name that is not among them,
    with a list.
    """
    fitting = [layer for layer in layers if shows(layer)]
    if not fitting:
        raise NotApplicableError(f"what={what} needs {kind}, and the model has none")
    if not name:
        return fitting[default]
    for layer in fitting:
        if layer.name == name:
            return layer
    there = next((layer for layer in layers if layer.name == name), None)
    reason = f"layer={there} is not {kind}" if there else f"layer={name} is not there"
    close = meant(name, [layer.name for layer in fitting])
    question = f"; did you mean {' or '.join(close)}?" if close and not there else "."
    listed = [f"  {layer}" for layer in fitting[:MOST_LISTED]]
    more = [f"  and {len(fitting) - MOST_LISTED} more"] if len(fitting) > MOST_LISTED else []
    raise UserError(
        "\n".join([f"{reason}{question} what={what} shows:", *listed, *more])
        + f"\nType layer={(close or [fitting[default].name])[0]}"
    )


def is_map(layer: LookLayer) -> bool:
    """Return whether a layer's output is maps (C, H, W)."""
    return len(layer.shape) == 3
