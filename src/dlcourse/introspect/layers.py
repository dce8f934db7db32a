"""Trace a forward pass layer by layer: shapes, operations, memory, receptive fields."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from dlcourse.introspect.tracer import Fields, Tracer


@dataclass
class Layer:
    """A layer as it ran on one example, without the layers inside it.

    name: dotted, as in the weights' names. output: its shape without the batch; empty if it did
    not run. multiply_adds: of matrix products, convolutions and attention. activation: bytes that
    it allocated. seen: the receptive fields along rows and columns; None if there are none.
    """

    name: str
    kind: str
    parameters: int
    output: tuple[int, ...] = ()
    multiply_adds: int = 0
    activation: int = 0
    seen: Fields | None = None


@dataclass
class Frame:
    """The bookkeeping of a layer while it runs.

    before: multiply-adds and bytes of the pass before the layer. inside: those of the layers inside
    it. holds: whether it has run other layers.
    """

    before: tuple[int, int]
    inside: Iterable[int] = (0, 0)
    holds: bool = False


def trace_layers(
    model: nn.Module, inputs: Tensor, counter: FlopCounterMode, tracer: Tracer
) -> list[Layer]:
    """Run a model; return its layers, those with parameters that did not run at the end.

    All numbers are a layer's own, without the layers inside it. A layer that only contains others
    is left out; one that adds or concatenates their outputs is included.
    """
    names = {module: name for name, module in model.named_modules()}
    layers: dict[nn.Module, Layer] = {}
    counted: set[Tensor] = set()
    stack = [Frame((0, 0))]

    def used() -> tuple[int, int]:
        return counter.get_total_flops() // 2, tracer.made  # an addition and a multiplication

    def enter(module: nn.Module, arguments: tuple) -> None:
        stack.append(Frame(used()))

    def leave(module: nn.Module, arguments: tuple, outputs: object) -> None:
        frame, now = stack.pop(), used()
        whole = [after - before for after, before in zip(now, frame.before, strict=True)]
        own = [total - part for total, part in zip(whole, frame.inside, strict=True)]
        stack[-1].holds = True
        stack[-1].inside = [a + b for a, b in zip(stack[-1].inside, whole, strict=True)]
        parameters = count(module.parameters(recurse=not frame.holds), counted)
        if frame.holds and not any(own) and not parameters and module not in layers:
            return
        layer = layers.setdefault(module, Layer(names[module], type(module).__name__, parameters))
        layer.multiply_adds += own[0]
        layer.activation += own[1]
        made = next((leaf for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor)), None)
        if made is not None:
            layer.output, layer.seen = tuple(made.shape[1:]), tracer.fields.get(made)

    handles = [module.register_forward_pre_hook(enter) for module in names]
    handles += [module.register_forward_hook(leave) for module in names]
    try:
        model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    for module, name in names.items():
        if parameters := count(module.parameters(recurse=False), counted):
            layers[module] = Layer(name, type(module).__name__, parameters)
    return list(layers.values())


def count(parameters: Iterable[Tensor], counted: set[Tensor]) -> int:
    """Return the number of values in the parameters that were not counted before."""
    fresh = {parameter for parameter in parameters if parameter not in counted}
    counted |= fresh
    return sum(parameter.numel() for parameter in fresh)
