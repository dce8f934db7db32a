"""The receptive field: the part of the input that a unit of a feature map depends on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Window(NamedTuple):
    """The window of a convolution or a pooling along one side of a map, in units of the map."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


class ReceptiveField(NamedTuple):
    """The receptive fields of a map's units along one side of the input, in pixels.

    Unit i sees ``size`` pixels from ``start + i * jump`` on; a negative start lies in the padding.
    """

    size: int
    jump: int
    start: int

    def through(self, window: Window) -> ReceptiveField:
        """Return the field of the map that a window computes from this one."""
        return ReceptiveField(
            size=self.size + window.dilation * (window.kernel - 1) * self.jump,
            jump=self.jump * window.stride,
            start=self.start - window.padding * self.jump,
        )

    def union(self, other: ReceptiveField) -> ReceptiveField | None:
        """Return the field that covers both where two paths meet; None where the jumps differ."""
        if self.jump != other.jump:
            return None
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        return ReceptiveField(end - start, self.jump, start)


INPUT = ReceptiveField(size=1, jump=1, start=0)


def receptive_field(windows: Iterable[Window]) -> ReceptiveField:
    """Return the field of a chain of convolutions and poolings, the first one first.

    ``receptive_field([Window(3), Window(2, stride=2), Window(3)])`` sees 8 pixels with jump 2.
    Layers that work on each position alone, as activations and norms do, are left out.

    Reference: Araujo, Norris, Sim, "Computing receptive fields of convolutional neural networks",
    Distill 2019, equations 1 to 5; ``start`` is its minus P_0, counted to the left from pixel 0.
    """
    field = INPUT
    for window in windows:
        field = field.through(window)
    return field
