"""Follows tensors through a forward pass: what they see of the input, what memory they take."""

import weakref
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dlcourse.introspect.receptive_field import INPUT, ReceptiveField, Window

aten = torch.ops.aten
MOVES = (aten.grid_sampler_2d, aten.permute, aten.transpose, aten.roll, aten.flip)  # places

Fields = tuple[ReceptiveField, ReceptiveField]  # along rows and along columns


class Tracing(TorchDispatchMode):
    """Looks at every operation of a forward pass without gradients on maps (N, C, H, W).

    made: bytes that operations have made anew. peak: the most bytes alive at once, weights not
    counted. Tensors that follow from the input get an attribute ``seen``: the receptive fields of
    dimensions 2 and 3, or None where the view is no fixed window.
    """

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        inputs.seen = (INPUT, INPUT) if inputs.dim() == 4 else None
        self.alive = [weakref.ref(inputs)]
        self.made, self.peak = 0, inputs.untyped_storage().nbytes()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Carry out an operation and look at what it made."""
        outputs = func(*args, **(kwargs or {}))
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        old = {tensor.untyped_storage()._cdata for tensor in given}
        for output in tree_leaves(outputs):
            if isinstance(output, Tensor):
                if any(hasattr(tensor, "seen") for tensor in given):
                    output.seen = seen_through(func, args, given, output)
                if output.untyped_storage()._cdata not in old:
                    self.made += output.untyped_storage().nbytes()
                    self.alive.append(weakref.ref(output))
        self.alive = [reference for reference in self.alive if reference() is not None]
        self.peak = max(self.peak, storage_bytes(reference() for reference in self.alive))
        return outputs


def storage_bytes(tensors: Iterable[Tensor | None]) -> int:
    """Return the bytes of all memory behind some tensors, shared memory once."""
    storages = [tensor.untyped_storage() for tensor in tensors if tensor is not None]
    return sum({storage._cdata: storage.nbytes() for storage in storages}.values())


def seen_through(func, args: tuple, given: list[Tensor], output: Tensor) -> Fields | None:
    """Return what an operation's output sees, from what its inputs see."""
    operation = func.overloadpacket
    before = [tensor for tensor in given if hasattr(tensor, "seen")]
    moves = operation in MOVES or (operation is aten.convolution and args[6])  # transposed
    if moves or any(tensor.seen is None or tensor.dim() < 4 for tensor in before):
        return None
    windows = windows_of(operation, args)
    if windows is not None:
        rows, columns = before[0].seen
        return rows.through(windows[0]), columns.through(windows[1])
    places = output.shape[2:4]  # any other operation stays at its place, or its view is unknown
    if len(places) < 2 or any(tensor.shape[2:4] != places for tensor in before):
        return None
    joint = before[0].seen
    for tensor in before[1:]:
        joint = tuple(map(ReceptiveField.union, joint, tensor.seen))
        if None in joint:
            return None
    return joint


def windows_of(operation, args: tuple) -> tuple[Window, Window] | None:
    """Return how an operation moves over rows and columns; None if it has no window."""
    given = dict(enumerate(args))  # what stands at its default in the schema is left out
    if operation is aten.convolution:
        return pair(args[1].shape[2:], *args[3:6])
    if operation is aten.max_pool2d_with_indices:
        return pair(args[1], given.get(2) or args[1], given.get(3, 0), given.get(4, 1))
    if operation is aten.avg_pool2d:
        return pair(args[1], given.get(2) or args[1], given.get(3, 0), 1)
    if operation is aten.constant_pad_nd and args[0].dim() == 4:
        left, _, top, _ = (*args[1], 0, 0, 0, 0)[:4]
        return Window(1, padding=top), Window(1, padding=left)
    if operation is aten.slice and given.get(1, 0) in (2, 3):
        start, step = given.get(2) or 0, given.get(4, 1)
        start += args[0].shape[args[1]] if start < 0 else 0
        return one_side(args[1], Window(1, step, -start))
    if operation is aten.unfold and args[1] in (2, 3):
        return one_side(args[1], Window(args[2], args[3]))
    return None


def pair(*settings: int | Sequence[int]) -> tuple[Window, Window]:
    """Return the windows of both sides; a setting for both may be one number."""
    both = [
        (value, value) if isinstance(value, int) else (*value, *value)[:2] for value in settings
    ]
    rows, columns = zip(*both, strict=True)
    return Window(*rows), Window(*columns)


def one_side(dimension: int, window: Window) -> tuple[Window, Window]:
    """Return the windows of both sides where an operation moves along one of them."""
    return (window, Window(1)) if dimension == 2 else (Window(1), window)
