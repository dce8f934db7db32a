"""The prepared Custom Scalars tab of TensorBoard: train and validation in one chart."""

import re
from collections.abc import Iterable

Layout = dict[str, dict[str, list]]

LOSS_OF_STEPS, RATE_OF_STEPS = "within/loss of each step", "within/learning rate of each step"
MEASURED = {
    "gradient": "gradient norm", "update": "update to weight ratio", "weight": "weight norm",
    "mean": "mean of the outputs", "spread": "standard deviation of the outputs",
    "dead": "share of dead units", "zeros": "share of zeros", "saturated": "share of saturated",
    "sparsity": "share of weights below 0.001", "weight_stable_rank": "stable rank of the weights",
    "weight_effective_rank": "effective rank of the weights",
    "activation_stable_rank": "stable rank of the outputs",
    "activation_effective_rank": "effective rank of the outputs",
}  # fmt: skip
"""What is measured in each layer, in the order of its charts, with the names of the charts.

The tags start with ``within``, so that they come after ``train`` and ``val`` in the other tabs.
"""


def board_layout(metrics: Iterable[str], monitor: str, measured: Iterable[str]) -> Layout:
    """Return the charts of the tab: loss, monitored metric, others; learning rate; measurements.

    metrics: the names in the history, ``["train/loss", "val/loss", "lr", ...]``.
    measured: the kinds of measurements in ``diagnostics.jsonl``; none without them.
    """
    known = list(metrics)
    names = dict.fromkeys(
        ["loss", monitor.partition("/")[2], *(name.partition("/")[2] for name in known)]
    )
    charts = {}
    for name in filter(None, names):
        tags = [f"{part}/{name}" for part in ("train", "val") if f"{part}/{name}" in known]
        if tags:
            charts[name] = multiline(tags)
    layout = {"1 training and validation": charts}
    if "lr" in known:
        layout["2 learning rate"] = {"learning rate": multiline(["lr"])}
    found = set(measured)
    if found:
        layout["3 steps"] = {
            "loss of each step": multiline([LOSS_OF_STEPS]),
            "learning rate of each step": multiline([RATE_OF_STEPS]),
        }
        layout["4 within the network"] = {
            name: ["Multiline", [f"^within/{re.escape(name)}/"]]
            for kind, name in MEASURED.items()
            if kind in found
        }
    return layout


def multiline(tags: Iterable[str]) -> list:
    """Return a chart with one curve for each tag; the tab reads tags as regular expressions."""
    return ["Multiline", [f"^{re.escape(tag)}$" for tag in tags]]
