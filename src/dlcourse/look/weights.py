"""The distribution of a network's weights, and the weights of a linear model by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from dlcourse.drawing.weight_distribution import LayerWeights, draw_weight_distribution
from dlcourse.drawing.weights import draw_templates, draw_weights
from dlcourse.introspect.linear_map import LinearWeights, linear_weights
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.run_parts import run_parts
from dlcourse.look.subject import Drawing, Subject

FEW_WEIGHTS = 100  # weights of a linear model, each of which is drawn; fewer have no histogram
MOST_TERMS = 8  # weights of a linear model in the line below the file


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw histograms of all layers; of a linear model its weights, for images as images.

    A linear model of a few weights has no histogram.

    Raises NotApplicableError for a model without weights.
    """
    layers = weights_by_layer(subject.network, options["near"])
    if not layers:
        raise NotApplicableError("the model has no weights of two or more dimensions")
    parts = run_parts(subject)
    found = linear_weights(subject.network, parts.fold.standardize, subject.dataset)
    total = sum(layer.values.size for layer in layers)
    drawings = []
    if found is None or total >= FEW_WEIGHTS:
        drawings.append(distribution(layers, options["near"]))
    if found is not None:
        drawings.append(linear_drawing(subject, found))
    return drawings


def weights_by_layer(network: nn.Module, near: float) -> list[LayerWeights]:
    """Return the weights of two or more dimensions by name; biases and norms are left out.

    near: the weights below it are near zero.
    """
    found = []
    for name, weight in network.named_parameters():
        if weight.dim() > 1 and weight.numel():
            values = weight.detach().float().flatten().cpu().numpy()
            share = float((np.abs(values) < near).mean())
            found.append(LayerWeights(name.removesuffix(".weight"), values, share))
    return found


def distribution(layers: list[LayerWeights], near: float) -> Drawing:
    """Draw the histograms, with the share of all weights that are near zero."""
    everything = np.concatenate([layer.values for layer in layers])
    share = float((np.abs(everything) < near).mean())
    sizes = sorted(layers, key=lambda layer: layer.values.std())
    count = f"{everything.size:,} weights in {len(layers)} layer{'s' * (len(layers) > 1)}"
    title = f"{count}; {share:.1%} of them near 0: |w| < {near:g}"
    small, large = sizes[0], sizes[-1]
    between = (
        f"standard deviation from {small.values.std():.2g} ({small.name}) to "
        f"{large.values.std():.2g} ({large.name})"
        if len(layers) > 1
        else f"standard deviation {small.values.std():.2g}"
    )
    seen = f"{share:.1%} of {count} are near 0, |w| < {near:g}; {between}"
    figure = draw_weight_distribution(layers, near, title)
    return Drawing("distribution", [figure], seen, line_art=True)


def linear_drawing(subject: Subject, found: LinearWeights) -> Drawing:
    """Draw the weights of a linear model for raw inputs, next to the true ones if known."""
    weights = found.weights.numpy()  # (R, D)
    if subject.of_images:
        channels, height, width = subject.input_shape
        images = weights.reshape(-1, channels, height, width)
        shown = images.transpose(0, 2, 3, 1) if channels == 3 else images.mean(1)
        title = "Weights of each class for every pixel"
        figure = draw_templates(shown, found.outputs, title)
        seen = f"one image of {height} x {width} weights for each of {len(found.outputs)} outputs"
        return Drawing("templates", [figure], seen)
    true = None if found.true is None else found.true[0].numpy()
    largest = np.argsort(-np.abs(weights[0]), kind="stable")[:MOST_TERMS]
    listed = ", ".join(f"{found.terms[n]} {weights[0, n]:.3g}" for n in sorted(largest))
    more = " ..." if weights.shape[1] > MOST_TERMS else ""
    bias = float(found.bias[0])
    seen = f"{found.outputs[0]}: {listed}{more}; bias {bias:.3g}"
    title = "Weights of the linear model, for raw inputs"
    if true is not None and true.shape == weights.shape:
        error = float(np.abs(weights - true).max())
        seen += f"; at most {error:.2g} from the true weights"
        title += f": at most {error:.2g} from the true ones"
    else:
        true = None
    figure = draw_weights(found.terms, weights, found.outputs, true=true, title=title)
    return Drawing("linear", [figure], seen, line_art=True)
