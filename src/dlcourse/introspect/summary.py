"""Summarise a model by running it on fake tensors, which have shapes but no values."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, signature, unwrap

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from dlcourse.introspect.layers import Layer, trace_layers
from dlcourse.introspect.tracer import Tracer, storage_bytes
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
"""Operations that PyTorch's counter does not know in every version."""


@dataclass(frozen=True)
class Summary:
    """The layers in the order in which they ended, and the memory of the whole model in bytes.

    swaps: whether some max pooling is computed before the ReLU that it follows in ``layers``.
    weights: with buffers. gradients: of trainable parameters. forward: the peak for one example in
    evaluation mode. saved: what autograd keeps for backward, for one example.
    """

    layers: list[Layer]
    swaps: bool
    weights: int
    gradients: int
    forward: int
    saved: int

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """The number of multiply-adds for one example."""
        return sum(layer.multiply_adds for layer in self.layers)


def summarize_model(make: Callable[[], nn.Module], input_shape: tuple[int, ...]) -> Summary:
    """Make a model; run it on inputs (1, *input_shape) in eval and (2, *input_shape) in train mode.

    No memory is allocated: weights and values are fake. A model whose control flow depends on
    values is run on zeros on the CPU instead.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it computes a whole encoder in one operation
    try:
        skeleton = made_without_values(make)
        with fake():
            return run_forward(skeleton.to_empty(device="cpu"), input_shape)
    except RuntimeError:  # from fake tensors whose values are read
        return run_forward(make(), input_shape)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def made_without_values(make: Callable[[], nn.Module]) -> nn.Module:
    """Return a model on the meta device; it is made on the CPU first if it reads its weights."""
    try:
        with torch.device("meta"):
            return make()
    except Exception:  # a user's model may do anything with its values
        return make().to("meta")


def fake() -> FakeTensorMode:
    """Return a mode in which tensors have a shape and a device, but no values and no memory."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def run_forward(model: nn.Module, input_shape: tuple[int, ...]) -> Summary:
    """Run a model forward, in evaluation and in training mode; return its summary.

    If max pooling is computed before the ReLU that it follows, the layers are listed in the order
    of the design, and the memory is that of the computation.
    """
    parameters = list(model.parameters())
    swapping = [part for part in model.modules() if isinstance(part, PoolFirst) and part.swaps]
    layers, tracer = run_once(model.eval(), input_shape)
    if swapping:
        for part in swapping:
            part.as_designed = True
        layers, _ = run_once(model, input_shape)
        for part in swapping:
            part.as_designed = False
    return Summary(
        layers=layers,
        swaps=bool(swapping),
        weights=storage_bytes([*parameters, *model.buffers()]),
        gradients=storage_bytes(p for p in parameters if p.requires_grad),
        forward=tracer.peak,
        saved=saved_bytes(model.train(), torch.zeros(2, *input_shape)) // 2,
    )


@torch.no_grad()
def run_once(model: nn.Module, input_shape: tuple[int, ...]) -> tuple[list[Layer], Tracer]:
    """Run a model on one example in evaluation mode; return its layers and the tracer."""
    inputs = torch.zeros(1, *input_shape)
    counted = FlopCounterMode(display=False, custom_mapping=ATTENTION_ON_THE_CPU)
    with counted as counter, Tracer(inputs) as tracer:
        return trace_layers(model, inputs, counter, tracer), tracer


def saved_bytes(model: nn.Module, inputs: Tensor) -> int:
    """Return the bytes that autograd saves in a forward pass, without the weights."""
    weights = {p.untyped_storage()._cdata for p in [*model.parameters(), *model.buffers()]}
    kept = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = model(inputs)  # keeps what was saved alive, so that no memory is counted twice
    del outputs
    return sum(kept.values())


def steps_on_gradients(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether ``optimizer.step()`` needs gradients alone: no closure, and no own loop."""
    step = unwrap(type(optimizer).step)
    needed = [p for p in signature(step).parameters.values() if p.default is Parameter.empty]
    return step is not unwrap(torch.optim.Optimizer.step) and len(needed) == 1  # self


def state_bytes(
    make_optimizer: Callable[[nn.Module], torch.optim.Optimizer], make: Callable[[], nn.Module]
) -> int | None:
    """Return the bytes of an optimizer's state after a first step with fake gradients.

    None for an optimizer whose step needs more than gradients, for example a closure.
    """
    skeleton = made_without_values(make)
    with fake():
        model = skeleton.to_empty(device="cpu")
        optimizer = make_optimizer(model)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.zeros_like(parameter)
        if not steps_on_gradients(optimizer):
            return None
        optimizer.step()
        leaves = tree_leaves([*optimizer.state.values()])
        return storage_bytes(leaf for leaf in leaves if isinstance(leaf, Tensor))
