"""What a model is made of, measured by running it on fake tensors: shapes without numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from dlcourse.introspect.layers import Layer, walk
from dlcourse.introspect.tracer import Tracing, storage_bytes
from dlcourse.layer.pool import PoolFirst


def attention_flops(
    query: torch.Size, key: torch.Size, value: torch.Size, *_: object, **__: object
) -> int:
    """Return the floating point operations of attention: two matrix products.

    Shapes: query (N, heads, tokens, width), key and value (N, heads, others, width).
    """
    batch, heads, tokens, width = query
    return 2 * batch * heads * tokens * key[-2] * (width + value[-1])


ATTENTION_ON_THE_CPU = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention_flops,
}
"""What PyTorch's counter does not know in every version."""


@dataclass(frozen=True)
class Summary:
    """The layers in the order in which they ended, and the memory of the whole, in bytes.

    swaps: whether some max pooling is computed before the ReLU that it follows in ``layers``.
    weights: with buffers. gradients: of what learns. forward: the most that one example takes at
    once in use. saved: what autograd keeps of one example until backward.
    """

    layers: list[Layer]
    swaps: bool
    weights: int
    gradients: int
    forward: int
    saved: int

    @property
    def parameters(self) -> int:
        """All of them."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Those of one example."""
        return sum(layer.multiply_adds for layer in self.layers)


def summarize(make: Callable[[], nn.Module], input_shape: tuple[int, ...]) -> Summary:
    """Make a model and run it on inputs (1, *input_shape) in use and (2, *input_shape) in training.

    No memory is taken: weights and values are fake. A model that has to know a value, to choose
    its way by it, is run on zeros on the CPU instead.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it does a whole encoder in one operation
    try:
        skeleton = made_without_values(make)
        with fake():
            return measure(skeleton.to_empty(device="cpu"), input_shape)
    except RuntimeError:  # of fake tensors that are asked for their values
        return measure(make(), input_shape)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def made_without_values(make: Callable[[], nn.Module]) -> nn.Module:
    """Return a model on the meta device; one that looks at its first weights is made on the CPU."""
    try:
        with torch.device("meta"):
            return make()
    except Exception:  # a model of the user's own may do anything with its values
        return make().to("meta")


def fake() -> FakeTensorMode:
    """Return the mode in which tensors have shapes and a device, but no values and no memory."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def measure(model: nn.Module, input_shape: tuple[int, ...]) -> Summary:
    """Run a model forward, in use and in training, and look at it.

    Where max pooling is computed before the ReLU that it follows, the layers are those of the
    design, in its order, and the memory is that of the computation.
    """
    parameters = list(model.parameters())
    swapping = [part for part in model.modules() if isinstance(part, PoolFirst) and part.swaps]
    layers, tracing = look(model.eval(), input_shape)
    if swapping:
        for part in swapping:
            part.as_designed = True
        layers, _ = look(model, input_shape)
        for part in swapping:
            part.as_designed = False
    return Summary(
        layers=layers,
        swaps=bool(swapping),
        weights=storage_bytes([*parameters, *model.buffers()]),
        gradients=storage_bytes(p for p in parameters if p.requires_grad),
        forward=tracing.peak,
        saved=saved_bytes(model.train(), torch.zeros(2, *input_shape)) // 2,
    )


@torch.no_grad()
def look(model: nn.Module, input_shape: tuple[int, ...]) -> tuple[list[Layer], Tracing]:
    """Run a model on one example in use; return its layers and what was seen of the tensors."""
    inputs = torch.zeros(1, *input_shape)
    counted = FlopCounterMode(display=False, custom_mapping=ATTENTION_ON_THE_CPU)
    with counted as counter, Tracing(inputs) as tracing:
        return walk(model, inputs, counter, tracing), tracing


def saved_bytes(model: nn.Module, inputs: Tensor) -> int:
    """Return the bytes that autograd keeps of a forward pass, weights not counted."""
    weights = {p.untyped_storage()._cdata for p in [*model.parameters(), *model.buffers()]}
    kept = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = model(inputs)  # holds on to what was kept, so that no place is used twice
    del outputs
    return sum(kept.values())


def state_bytes(
    make_optimizer: Callable[[nn.Module], torch.optim.Optimizer], make: Callable[[], nn.Module]
) -> int | None:
    """Return the bytes of an optimizer's state after a first step with fake gradients.

    None for one that needs more than gradients to make a step, as a line search does.
    """
    skeleton = made_without_values(make)
    with fake():
        model = skeleton.to_empty(device="cpu")
        optimizer = make_optimizer(model)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.zeros_like(parameter)
        try:
            optimizer.step()
        except (TypeError, NotImplementedError):
            return None
        leaves = tree_leaves([*optimizer.state.values()])
        return storage_bytes(leaf for leaf in leaves if isinstance(leaf, Tensor))
