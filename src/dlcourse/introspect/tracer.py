"""Trace the tensors of a forward pass: their receptive fields and the memory that they take."""

import weakref
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from dlcourse.introspect.receptive_field import INPUT, ReceptiveField, Window

aten = torch.ops.aten
MOVES = (aten.grid_sampler_2d, aten.permute, aten.transpose, aten.roll, aten.flip)  # positions

Fields = tuple[ReceptiveField, ReceptiveField]  # along rows and along columns


class Tracer(TorchDispatchMode):
    """Observes every operation of a forward pass without gradients on maps (N, C, H, W).

    made: bytes that operations have allocated. peak: the largest number of bytes alive at once,
    without the weights. fields: for each tensor that depends on the input, the receptive fields
    along dimensions 2 and 3, or None if a unit does not see a fixed window.

    Example: a 3 x 3 convolution, ReLU and 2 x 2 max pooling on an image of 8 x 8 pixels.

        operation     output   fields of a row: size, jump, start
        (the input)   8 x 8    1, 1, 0
        convolution   6 x 6    3, 1, 0    a unit sees 3 pixels; its neighbour is 1 pixel further
        relu          6 x 6    3, 1, 0    every unit stays at its position
        max_pool2d    3 x 3    4, 2, 0    two units of the row below, whose fields overlap
        mean((2, 3))  -        None       no map, so there is no window
    """

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.fields = WeakTensorKeyDictionary()
        self.fields[inputs] = (INPUT, INPUT) if inputs.dim() == 4 else None
        self.alive = [weakref.ref(inputs)]
        self.made, self.peak = 0, inputs.untyped_storage().nbytes()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operation; record the fields and the memory of its outputs."""
        outputs = func(*args, **(kwargs or {}))
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        old = {tensor.untyped_storage()._cdata for tensor in given}
        for output in tree_leaves(outputs):
            if isinstance(output, Tensor):
                known = [tensor for tensor in given if tensor in self.fields]
                if known:
                    fields = [(tensor, self.fields[tensor]) for tensor in known]
                    self.fields[output] = fields_of(func, args, fields, output)
                if output.untyped_storage()._cdata not in old:
                    self.made += output.untyped_storage().nbytes()
                    self.alive.append(weakref.ref(output))
        self.alive = [reference for reference in self.alive if reference() is not None]
        self.peak = max(self.peak, storage_bytes(reference() for reference in self.alive))
        return outputs


def storage_bytes(tensors: Iterable[Tensor | None]) -> int:
    """Return the bytes of the storages of some tensors, shared storages counted once."""
    storages = [tensor.untyped_storage() for tensor in tensors if tensor is not None]
    return sum({storage._cdata: storage.nbytes() for storage in storages}.values())


def fields_of(
    func, args: tuple, known: list[tuple[Tensor, Fields | None]], output: Tensor
) -> Fields | None:
    """Return the receptive fields of an operation's output.

    known: the operation's inputs that depend on the network's input, with their fields.
    """
    operation = func.overloadpacket
    moves = operation in MOVES or (operation is aten.convolution and args[6])  # transposed
    fields = [one for tensor, one in known if one is not None and tensor.dim() >= 4]
    if moves or len(fields) < len(known):
        return None
    windows = windows_of(operation, args)
    if windows is not None:
        rows, columns = fields[0]
        return rows.through(windows[0]), columns.through(windows[1])
    places = output.shape[2:4]  # any other operation keeps positions, or is unknown
    if len(places) < 2 or any(tensor.shape[2:4] != places for tensor, _ in known):
        return None
    rows, columns = fields[0]
    for other_rows, other_columns in fields[1:]:
        joint_rows, joint_columns = rows.union(other_rows), columns.union(other_columns)
        if joint_rows is None or joint_columns is None:
            return None
        rows, columns = joint_rows, joint_columns
    return rows, columns


def windows_of(operation, args: tuple) -> tuple[Window, Window] | None:
    """Return the windows of an operation along rows and columns; None if it has none."""
    given = dict(enumerate(args))  # arguments at their default are missing
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
    """Return the windows along rows and columns; one number stands for both."""
    both = [
        (value, value) if isinstance(value, int) else (*value, *value)[:2] for value in settings
    ]
    rows, columns = zip(*both, strict=True)
    return Window(*rows), Window(*columns)


def one_side(dimension: int, window: Window) -> tuple[Window, Window]:
    """Return the windows along rows and columns of an operation along one of them."""
    return (window, Window(1)) if dimension == 2 else (Window(1), window)
