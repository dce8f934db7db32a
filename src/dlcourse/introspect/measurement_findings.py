"""What the measurements inside a network mean, in words: dead units, vanishing gradients.

Each function returns sentences, none where its finding does not hold. They use only lines of
``diagnostics.jsonl``; layers are those with a weight matrix, in the order of the model.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

DEAD = 0.5  # share of a layer's units
MOSTLY_SATURATED = 0.5  # share of a hidden layer's outputs
VANISHING = 1e-3  # gradient norm of the first over that of the last layer
EXPLODING = 1e3
TINY_UPDATE, LARGE_UPDATE = 1e-5, 0.1  # of the weights in a step; about 1e-3 is usual
SPIKE = 3.0  # times the loss of the first steps
SPARSE = 0.5  # share of weights below 0.001
LAYERS_NAMED = 3  # layers at most that a sentence names

Measured = Mapping[str, Any]


def measurement_findings(lines: Sequence[Measured]) -> list[str]:
    """Return everything that the measurements say in words."""
    measured = [line for line in lines if "layers" in line]
    losses = [loss for line in lines for loss in line.get("losses", [])]
    if not measured:
        return spikes(losses)
    last = measured[-1]
    return [
        *vanishing(measured[0], "before training"),
        *(vanishing(last, "at the end") if len(measured) > 1 else []),
        *share_findings(last, "dead", DEAD, "of the units are dead (0 for all measured examples)"),
        *share_findings(last, "saturated", MOSTLY_SATURATED, "of the outputs are saturated"),
        *updates(measured, losses),
        *spikes(losses),
        *sparse(last),
    ]


def matrices(line: Measured) -> dict[str, Mapping[str, Any]]:
    """Return the measurements of the layers with a weight matrix, by name."""
    return {name: values for name, values in line["layers"].items() if "sparsity" in values}


def share_findings(line: Measured, key: str, limit: float, what: str) -> list[str]:
    """Return a sentence for the layers in which a share is at least the limit."""
    found = [
        (name, values[key])
        for name, values in matrices(line).items()
        if values.get(key) is not None and values[key] >= limit
    ]
    sentences = [
        f"layer {name}: {100 * share:.0f} % {what}" for name, share in found[:LAYERS_NAMED]
    ]
    if len(found) > LAYERS_NAMED:
        sentences[-1] += f"; {len(found) - LAYERS_NAMED} more layers likewise"
    return sentences


def vanishing(line: Measured, when: str) -> list[str]:
    """Return a sentence if the first layer's gradient is 1000 times smaller or larger."""
    found = [
        (name, values["gradient"])
        for name, values in matrices(line).items()
        if values.get("gradient") is not None
    ]
    if len(found) < 2:
        return []
    (first, small), (last, large) = found[0], found[-1]
    if not large:
        return []
    ratio = small / large
    if VANISHING < ratio < EXPLODING:
        return []
    name = "vanishing" if ratio <= VANISHING else "exploding"
    share = f"{ratio:.0e}" if ratio else "0"
    return [
        f"{when} the gradients of layer {first} are {share} of those of layer {last}: {name} "
        "gradients"
    ]


def updates(measured: Sequence[Measured], losses: Sequence[float]) -> list[str]:
    """Return a sentence if a step changes the weights much less or more than usual.

    The ratio is the median over layers and over the first half of the training. Small updates are
    reported only where the loss has not fallen by half, large ones only above a tenth.
    """
    early = [line for line in measured if any("update" in v for v in line["layers"].values())]
    early = early[: max(1, len(early) // 2)]
    ratios = [
        values["update"]
        for line in early
        for values in matrices(line).values()
        if values.get("update")
    ]
    if not ratios:
        return []
    ratio = median(ratios)
    finite = [loss for loss in losses if loss is not None]
    fallen = len(finite) > 1 and mean_of(finite[-10:]) < 0.5 * mean_of(finite[:3])
    usual = f"a step changes the weights by {ratio:.0e} of their size, and about 1e-03 is usual"
    if ratio < TINY_UPDATE and not fallen:
        return [f"{usual}: the learning rate is too low"]
    if ratio > LARGE_UPDATE:
        return [f"{usual}: the learning rate is too high"]
    return []


def spikes(losses: Sequence[float | None]) -> list[str]:
    """Return a sentence if the loss of some step is three times that of the first steps."""
    finite = [(number, loss) for number, loss in enumerate(losses, 1) if loss is not None]
    if len(finite) < 10:
        return []
    start = mean_of([loss for _, loss in finite[:3]])
    number, highest = max(finite[3:], key=lambda pair: pair[1])
    if start > 0 and highest > SPIKE * start:
        return [
            f"the loss rises to {highest:.3g} in step {number}, {highest / start:.0f} times its "
            "start: the learning rate is too high"
        ]
    return []


def sparse(line: Measured) -> list[str]:
    """Return a sentence if at least half of all weights are nearly 0."""
    layers = list(matrices(line).values())
    known = [(v["sparsity"], v.get("size", 1)) for v in layers if v.get("sparsity") is not None]
    total = sum(size for _, size in known)
    share = sum(part * size for part, size in known) / total if total else 0.0
    if share < SPARSE:
        return []
    return [f"{100 * share:.0f} % of the weights are smaller than 0.001 (sparse)"]


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of some numbers."""
    return sum(values) / len(values)
