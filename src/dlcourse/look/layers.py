"""Find a network's layers, and record what they compute."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.errors import UserError, meant
from dlcourse.introspect.activations import first_tensor
from dlcourse.layer.grid import GridAverage
from dlcourse.layer.pool import PoolFirst, StochasticPool
from dlcourse.look.registry import NotApplicableError

MOST_LISTED = 30
POOLINGS = (
    nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, StochasticPool,
    GridAverage,
)  # fmt: skip


@dataclass(frozen=True)
class LookLayer:
    """A layer that ran.

    shape: of its first output, without the batch. pooled: whether its output is that of a pooling.
    """

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    pooled: bool = False

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
    of_poolings: dict[int, Tensor] = {}  # kept, so that no other tensor gets the same id
    with ExitStack() as stack:
        stack.enter_context(as_listed(network))
        for name, module in network.named_modules():
            if not name:
                continue

            def record(module: nn.Module, _: Any, output: Any, name: str = name) -> None:
                made = first_tensor(output)
                if made is None:
                    return
                if isinstance(module, POOLINGS):
                    of_poolings[id(made)] = made
                shape = tuple(made.shape[1:])
                found.setdefault(name, LookLayer(name, module, shape, id(made) in of_poolings))

            stack.callback(module.register_forward_hook(record).remove)
        network(inputs)
    return list(found.values())


@contextmanager
def as_listed(network: nn.Module) -> Iterator[None]:
    """Apply layers in the order in which they are listed, each with an output of its own.

    So a ReLU is applied before the pooling after it, and no activation overwrites its input.
    """
    swapping = [part for part in network.modules() if isinstance(part, PoolFirst)]
    overwriting: list[Any] = [part for part in network.modules() if getattr(part, "inplace", False)]
    for part in swapping:
        part.as_designed = True
    for part in overwriting:
        part.inplace = False
    try:
        yield
    finally:
        for part in swapping:
            part.as_designed = False
        for part in overwriting:
            part.inplace = True


@contextmanager
def recorded(
    network: nn.Module, layers: Iterable[LookLayer], *, inputs: bool = False
) -> Iterator[dict[str, Tensor]]:
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
    preferred: Callable[[Sequence[LookLayer]], LookLayer] = itemgetter(0),
) -> LookLayer:
    """Return the layer with this name; without a name, one of those that can be shown.

    shows: whether a layer can be shown. what: the ``what``, for messages. kind: what it needs,
    ``"a convolution"``. preferred: chooses one of those that can be shown; the first by default.

    Raises NotApplicableError if there is none, and UserError for a name that is not among them,
    with a list.
    """
    fitting = [layer for layer in layers if shows(layer)]
    if not fitting:
        raise NotApplicableError(f"what={what} needs {kind}, and the model has none")
    if not name:
        return preferred(fitting)
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
        + f"\nType layer={(close or [preferred(fitting).name])[0]}"
    )


def is_map(layer: LookLayer) -> bool:
    """Return whether a layer's output is maps (C, H, W)."""
    return len(layer.shape) == 3
