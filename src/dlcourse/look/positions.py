"""The positional encodings of a transformer, as heat maps."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
from torch import Tensor

from dlcourse.drawing.image_grid import draw_image_grid
from dlcourse.drawing.style import DIVERGING, SEQUENTIAL, empty_figure
from dlcourse.look.attention import token_grid
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.subject import Drawing, Subject


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw the encodings themselves, and the similarity of each position with all others.

    Reference: Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021, figure 7.
    """
    found = next(encodings(subject), None)
    if found is None:
        raise NotApplicableError("what=positions needs positional encodings, as model=vit has them")
    name, values = found
    encoding = values.detach().float().cpu().numpy()[0]  # (T, width)
    grid = token_grid(subject, len(encoding))
    return [draw_encoding(name, encoding), draw_similarity(name, encoding, grid)]


def encodings(subject: Subject) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors (1, T, width) of the network whose names say that they are positions."""
    network = subject.network
    for name, values in chain(network.named_parameters(), network.named_buffers()):
        if "pos" in name.rpartition(".")[2] and values.dim() == 3 and len(values) == 1:
            yield name, values


def draw_encoding(name: str, encoding: np.ndarray) -> Drawing:
    """Draw the values (T, width): a row for each position, a column for each component."""
    figure = empty_figure(7, 4.2)
    axes = figure.add_subplot(xlabel="component", ylabel="position in the sequence")
    largest = float(np.abs(encoding).max()) or 1.0
    shown = axes.imshow(
        encoding, cmap=DIVERGING, vmin=-largest, vmax=largest, aspect="auto",
        interpolation="nearest",
    )  # fmt: skip
    figure.colorbar(shown, label="value")
    tokens, width = encoding.shape
    axes.set_title(f"{name}: encodings of {tokens} positions by {width} numbers", loc="left")
    seen = (
        f"{name}: {tokens} positions of {width} numbers, standard deviation {encoding.std():.3f}, "
        f"largest {largest:.2f}"
    )
    return Drawing("encoding", [figure], seen)


def draw_similarity(name: str, encoding: np.ndarray, grid: tuple[int, int]) -> Drawing:
    """Draw, at the place of each patch, the cosine of its encoding with that of every patch."""
    rows, columns = grid
    patches = encoding[len(encoding) - rows * columns :]
    length = np.linalg.norm(patches, axis=1, keepdims=True).clip(1e-30)
    cosine = (patches / length) @ (patches / length).T  # (patches, patches)
    maps = cosine.reshape(rows * columns, rows, columns)
    others = ~np.eye(len(maps), dtype=bool)
    low = float(cosine.min())
    cell = max(0.3, min(0.9, 7 / columns))
    figure = draw_image_grid(
        list(maps), columns=columns, cell=cell, colours=SEQUENTIAL, limits=(low, 1.0),
        title=f"{name}: similarity of each patch's position with all\n"
        f"cosine from {low:.2f} (dark) to 1 (bright)",
    )  # fmt: skip
    near, far = neighbours(cosine, grid)
    seen = (
        f"{name}: mean cosine {near:.2f} with a direct neighbour, {far:.2f} with the patches of "
        f"other rows and columns, {float(cosine[others].mean()):.2f} with all"
    )
    return Drawing("similarity", [figure], seen)


def neighbours(cosine: np.ndarray, grid: tuple[int, int]) -> tuple[float, float]:
    """Return the mean cosine with direct neighbours, and with patches of other rows and columns."""
    place = np.stack(np.divmod(np.arange(len(cosine)), grid[1]), 1)
    apart = np.abs(place[:, None] - place[None])  # (patches, patches, 2)
    near, other = apart.sum(2) == 1, (apart > 0).all(2)
    return (
        float(cosine[near].mean()) if near.any() else 1.0,
        float(cosine[other].mean()) if other.any() else 1.0,
    )
