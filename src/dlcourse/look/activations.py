"""The distribution of the outputs of each layer over a batch of test examples."""

from collections.abc import Mapping
from typing import Any

from dlcourse.drawing.activation_distribution import LayerOutputs, draw_activations
from dlcourse.introspect.activations import output_statistics
from dlcourse.introspect.weighted_layers import weighted_layers
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.subject import Drawing, Subject


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw a histogram for each layer with weights, after the activation that follows it."""
    inputs = subject.examples(options).inputs
    layers = weighted_layers(subject.network)
    found = output_statistics(
        lambda: subject.outputs(inputs), layers, subject.network, histograms=True
    )
    if not found:
        raise NotApplicableError("what=activations needs layers with weights")
    rows = []
    for name, statistics in found.items():
        values = {key: float(value) for key, value in statistics.values().items()}
        counts = statistics.counts
        rows.append(
            LayerOutputs(
                name=name,
                activation=statistics.activation,
                low=float(counts["low"]),
                high=float(counts["high"]),
                counts=counts["counts"].cpu().numpy(),
                mean=values["mean"],
                spread=values["spread"],
                zeros=values.get("zeros"),
            )
        )
    figure = draw_activations(rows, len(inputs))
    dead = [(name, float(one.values()["dead"])) for name, one in found.items() if one.activation]
    worst = max(dead, key=lambda pair: pair[1], default=None)
    first, last = rows[0], rows[-1]
    seen = (
        f"{len(inputs)} examples; standard deviation of the outputs: {first.spread:.2f} in the "
        f"first layer {first.name}, {last.spread:.2f} in the last of {len(rows)}, {last.name}"
    )
    if worst is not None and worst[1] > 0:
        seen += f"; most dead units in {worst[0]}: {worst[1]:.0%}"
    return [Drawing("", [figure], seen, line_art=True)]
