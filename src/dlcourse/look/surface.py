"""The loss along directions of the weights: random, of the training, between two runs."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import Split, at_least_float32
from dlcourse.drawing.loss_surface import draw_loss_line, draw_loss_surface
from dlcourse.introspect.loss_surface import (
    curvature,
    losses_at,
    losses_on_grid,
    plane_of_path,
    random_direction,
    weight_vector,
)
from dlcourse.introspect.sharpness import largest_eigenvalue
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.run_parts import PART_TEXT, RunParts, has_batch_norm, loss_function, run_parts
from dlcourse.look.subject import Drawing, Subject
from dlcourse.look.two_runs import draw_between_runs
from dlcourse.look.weight_path import WeightPath, weight_path
from dlcourse.terminal.live_line import working

HESSIAN_EXAMPLES = 256
DIRECTIONS = 10  # random ones whose mean curvature is printed
PATH_MARGIN = 0.25  # around the path, of its extent
NARROWEST = 0.1  # extent of the second direction, of the first


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw the loss over a plane or a line of weights; see ``options`` in ``look.registry``.

    Raises NotApplicableError for a model without weights.
    """
    if not sum(weight.numel() for weight in subject.network.parameters()):
        raise NotApplicableError("the model has no weights")
    parts = run_parts(subject)
    if options["with"]:
        return [draw_between_runs(subject, parts, options)]
    chosen = options["directions"]
    kinds = {"random": draw_random_plane, "path": draw_path}
    names = list(kinds) if chosen == "both" else [chosen]
    return [kinds[name](subject, parts, options) for name in names]


def draw_random_plane(subject: Subject, parts: RunParts, options: Mapping[str, Any]) -> Drawing:
    """Draw the loss along two random directions whose filters have the norms of the weights'.

    Reference: Li et al., "Visualizing the loss landscape of neural nets", NeurIPS 2018.
    """
    network, started = subject.network, perf_counter()
    some = parts.some(options["part"], options["examples"], options["seed"])
    loss = loss_function(subject, parts, some)
    draws = torch.Generator().manual_seed(options["seed"])
    directions = [random_direction(network, draws) for _ in range(DIRECTIONS)]
    origin, side = weight_vector(network), np.linspace(-1, 1, options["points"]) * options["radius"]
    total = len(side) ** 2 + DIRECTIONS
    with working(f"computing {total} losses of {len(some):,} examples", total) as advance:
        losses = losses_on_grid(
            network, origin, (directions[0], directions[1]), (side, side), loss, advance
        )
        bends = []
        for direction in directions:
            bends.append(curvature(network, origin, direction, loss))
            advance(1)
    middle, what = loss(), loss_text(parts, options, len(some))
    sharpest = ""
    if options["hessian"]:
        value = hessian_eigenvalue(subject, parts, some, options["seed"])
        sharpest = f"largest eigenvalue of the Hessian {value:.3g}"
    mean, spread = float(np.mean(bends)), float(np.std(bends, ddof=1))
    title = (
        f"{what}: {middle:.3g} at the best weights\n"
        f"curvature along random directions: {mean:.3g} ± {spread:.2g}"
    )
    figure = draw_loss_surface(
        (side, side), losses, title="\n".join(filter(None, [title, sharpest])), loss_name=what,
        names=("random direction 1, in lengths of the filters", "random direction 2"),
    )  # fmt: skip
    worst = float(np.nanmax(losses))
    seen = (
        f"The {what} is {middle:.3g} at the best weights and up to {worst:.3g} at the edge; its "
        f"curvature along {DIRECTIONS} random directions is {mean:.3g} ± {spread:.2g}"
        f"{'; ' if sharpest else ''}{sharpest}"
        f"{batch_norm_note(subject)} ({cost(total + 2 * DIRECTIONS, started)})"
    )
    return Drawing("random", [figure], seen)


def hessian_eigenvalue(subject: Subject, parts: RunParts, some: Split, seed: int) -> float:
    """Return the largest eigenvalue of the loss's Hessian at the best weights.

    It is computed on at most 256 of the examples. SAM lowers it: Foret et al., "Sharpness-aware
    minimization for efficiently improving generalization", ICLR 2021, section 4.2.
    """
    network, first = subject.network, torch.arange(min(len(some), HESSIAN_EXAMPLES))
    ((inputs, targets),) = some.batches([first.to(some.device)])
    weights = list(network.parameters())

    def objective(inputs: Tensor, targets: Tensor) -> Tensor:
        return parts.recipe.plain_loss(at_least_float32(network(inputs)), targets)

    try:
        network.requires_grad_(True)
        with torch.enable_grad(), working("computing an eigenvalue of the Hessian"):
            value = largest_eigenvalue(objective, weights, subject.prepared(inputs), targets, seed)
    finally:
        network.requires_grad_(False)
    return float(value)


def draw_path(subject: Subject, parts: RunParts, options: Mapping[str, Any]) -> Drawing:
    """Draw the loss over the plane in which the weights moved most, and their path in it.

    A path of which only the start and the end are known is drawn as a line.
    """
    network, started = subject.network, perf_counter()
    path = weight_path(subject, parts)
    some = parts.some(options["part"], options["examples"], options["seed"])
    loss, what = loss_function(subject, parts, some), loss_text(parts, options, len(some))
    origin = weight_vector(network)
    try:
        plane = plane_of_path(path.weights, origin)
    except ValueError:
        return draw_straight_path(subject, parts, path, options)
    sides = sides_around(plane.points, options["points"])
    total = sides[0].size * sides[1].size
    with working(f"computing {total} losses of {len(some):,} examples", total) as advance:
        losses = losses_on_grid(
            network, origin, (plane.directions[0], plane.directions[1]), sides, loss, advance
        )
    middle, first = loss(), losses_at(network, [lambda: path.weights[0]], loss)[0]
    inside = float(plane.shares.sum())
    title = (
        f"{what}: {first:.3g} at the start, {middle:.3g} at the star, the best weights\n"
        f"{inside:.0%} of the path's squared length are in this plane{path.note}"
    )
    figure = draw_loss_surface(
        sides, losses, title=title, loss_name=what, path=plane.points, epochs=path.labels,
        names=(
            f"principal direction 1 of the path, {plane.shares[0]:.0%}, in units of the weights",
            f"principal direction 2, {plane.shares[1]:.0%}",
        ),
    )  # fmt: skip
    length = float((path.weights[0] - origin).norm())
    seen = (
        f"From the initial to the best weights, {length:.3g} apart, the {what} falls from "
        f"{first:.3g} to {middle:.3g}; the plane holds {inside:.0%} of the path of "
        f"{len(path.labels)} weights{batch_norm_note(subject)} ({cost(total, started)})"
    )
    return Drawing("path", [figure], seen + path.hint)


def draw_straight_path(
    subject: Subject, parts: RunParts, path: WeightPath, options: Mapping[str, Any]
) -> Drawing:
    """Draw the loss on the line from the initial to the best weights.

    Reference: Goodfellow, Vinyals, Saxe, "Qualitatively characterizing neural network optimization
    problems", ICLR 2015.
    """
    origin, start = weight_vector(subject.network), path.weights[0]
    along = np.linspace(-0.1, 1.25, 2 * options["points"] - 1)
    losses = {}
    for name in ("train", "test"):
        some = parts.some(name, options["examples"], options["seed"])
        loss = loss_function(subject, parts, some)
        vectors = [lambda share=share: start + share * (origin - start) for share in along]
        with working(f"computing {len(vectors)} losses", len(vectors)) as advance:
            values = losses_at(subject.network, vectors, loss, advance)
        losses[f"{PART_TEXT[name]} part, {len(some):,} examples"] = np.array(values)
    length = float((start - origin).norm())
    title = f"Loss on the line from the initial to the best weights, {length:.3g} apart"
    figure = draw_loss_line(
        along, losses, title=title, ends=("start", "best weights"),
        name="share of the way",
    )  # fmt: skip
    first = next(iter(losses.values()))
    falls = bool((np.diff(first[(along >= 0) & (along <= 1)]) <= 0).all())
    seen = (
        f"On the straight line from the initial to the best weights the training loss "
        f"{'falls all the way' if falls else 'does not fall all the way'}"
        f"{batch_norm_note(subject)}"
    )
    return Drawing("path", [figure], seen + path.hint)


def sides_around(points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of two directions, ``count`` each, that cover points (T, 2) and 0."""
    low, high = np.minimum(points.min(0), 0), np.maximum(points.max(0), 0)
    extent = np.maximum(high - low, NARROWEST * (high - low).max())
    center = (low + high) / 2
    reach = (0.5 + PATH_MARGIN) * extent
    first, second = (np.linspace(c - r, c + r, count) for c, r in zip(center, reach, strict=True))
    return first, second


def loss_text(parts: RunParts, options: Mapping[str, Any], examples: int) -> str:
    """Return the name of the loss that is drawn."""
    whole = len(parts.part(options["part"]))
    count = f"all {whole:,}" if examples == whole else f"{examples:,}"
    return f"{PART_TEXT[options['part']]} loss of {count} examples"


def batch_norm_note(subject: Subject) -> str:
    """Return what happens to batch norm, if the network has any."""
    kept = "; batch norm keeps the statistics of the best weights"
    return kept if has_batch_norm(subject.network) else ""


def cost(evaluations: int, started: float) -> str:
    """Return the number of losses that were computed and the time that it took."""
    return f"{evaluations} losses in {perf_counter() - started:.0f} s"
