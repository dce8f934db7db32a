"""The features of a layer as points of a plane."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.drawing.embedding import Panel, draw_embedding
from dlcourse.engine.datasets import load_data
from dlcourse.introspect.displayed import displayed
from dlcourse.introspect.projection import (
    NEIGHBOURS,
    neighbour_accuracy,
    neighbour_r2,
    pca_plane,
    principal_components,
    tsne_plane,
)
from dlcourse.look.layers import LookLayer, chosen_layer, recorded
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.subject import Drawing, Subject
from dlcourse.train.evaluate import EVALUATION_BATCH

KEPT_FOR_TSNE = 50  # principal components, as in the paper's section 4.2
FEWEST_POINTS = 5


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw the features of some test examples, projected by PCA, by t-SNE or both.

    Raises NotApplicableError for fewer than five test examples.
    """
    index = subject.mixed_order(options)
    if len(index) < FEWEST_POINTS:
        raise NotApplicableError(f"an embedding needs at least {FEWEST_POINTS} test examples")
    layer, inputs_of = features_at(subject, options["layer"])
    features = layer_features(subject, layer, index, inputs=inputs_of).numpy()
    targets, classes = labels_of(subject, index)
    name = f"inputs of {layer.name}" if inputs_of else layer.name
    panels, words = [], []
    whole = quality(features, targets, classes)
    if options["method"] in ("pca", "both"):
        points, shares = pca_plane(features)
        near = quality(points, targets, classes)
        axes = [f"principal component {n}, {share:.0%} of the variance"
                for n, share in enumerate(shares, 1)]  # fmt: skip
        title = f"PCA: {shares.sum():.0%} of the variance; by neighbours: {near}"
        panels.append(Panel(title, (axes[0], axes[1]), points))
        words.append(f"{near} in the PCA plane ({shares.sum():.0%} of the variance)")
    if options["method"] in ("tsne", "both"):
        points = tsne_plane(principal_components(features, KEPT_FOR_TSNE), options["seed"])
        near = quality(points, targets, classes)
        panels.append(Panel(f"t-SNE; by neighbours: {near}", ("t-SNE 1", "t-SNE 2"), points))
        words.append(f"{near} in the t-SNE plane")
    size, count = features.shape[1], len(index)
    measure = (
        f"share with the class of most of {NEIGHBOURS} nearest neighbours"
        if classes
        else f"R2 of the mean of {NEIGHBOURS} nearest neighbours"
    )
    title = f"{name}: {size:,} features of {count:,} test examples\n{measure}: {whole}"
    images = shown_images(subject, index) if options["thumbnails"] else None
    figure = draw_embedding(panels, targets, classes, title, images)
    seen = (
        f"{name}, {size:,} features of {count:,} test examples; {measure}: {whole} with all "
        f"features, {', '.join(words)}"
    )
    return [Drawing(layer.name, [figure], seen)]


def features_at(subject: Subject, name: str) -> tuple[LookLayer, bool]:
    """Return the layer with this name, and False; by default the output layer, and True.

    True: the features are the inputs of the layer. An autoencoder's are the outputs of its
    narrowest layer.
    """
    layers = subject.layers
    if name:
        return chosen_layer(layers, name, lambda layer: True, "embedding", "a layer"), False
    if subject.config["data"]["reconstruct"]:
        return min(layers, key=lambda layer: np.prod(layer.shape)), False
    weighted = [layer for layer in layers if has_matrix(layer.module)]
    if not weighted:
        raise NotApplicableError("the model has no layer with weights")
    return weighted[-1], True


def has_matrix(module: nn.Module) -> bool:
    """Return whether a layer has weights of two or more dimensions of its own."""
    return any(weight.dim() > 1 for weight in module.parameters(recurse=False))


@torch.no_grad()
def layer_features(subject: Subject, layer: LookLayer, index: Tensor, *, inputs: bool) -> Tensor:
    """Return the outputs, or the inputs, of a layer for test examples, (N, D) on the CPU."""
    found = []
    for batch, _ in subject.test.batches(index.to(subject.test.device).split(EVALUATION_BATCH)):
        with recorded(subject.network, [layer], inputs=inputs) as kept:
            subject.outputs(batch.to(subject.device))
        found.append(kept[layer.name].flatten(1).float().cpu())
    return torch.cat(found)


def labels_of(subject: Subject, index: Tensor) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the classes (N,) of test examples with their names, or the first value and no names.

    The classes of images that a model reconstructs are those of the data set.
    """
    dataset, test = subject.dataset, subject.test
    if subject.config["data"]["reconstruct"] and len(test) == len(dataset.test):
        config = dict(subject.config)
        config["data"] = {**config["data"], "reconstruct": False}
        dataset = load_data(config)
        test = replace(test, targets=dataset.test.targets)
    targets = test.targets[index.to(test.device)].cpu()
    if dataset.classes:
        return (targets if targets.dim() == 1 else targets.argmax(1)).numpy(), dataset.classes
    return targets.flatten(1)[:, 0].float().numpy(), ()


def quality(points: np.ndarray, targets: np.ndarray, classes: tuple[str, ...]) -> str:
    """Return how well the neighbours of the points predict their targets, as text."""
    if classes:
        return f"{neighbour_accuracy(points, targets):.1%}"
    return f"{neighbour_r2(points, targets):.2f}"


def shown_images(subject: Subject, index: Tensor) -> list[np.ndarray]:
    """Return test images as they are drawn; raises NotApplicableError for a table."""
    if not subject.of_images:
        raise NotApplicableError("thumbnails=true needs a run on images")
    ((inputs, _),) = subject.test.batches([index.to(subject.test.device)])
    return displayed(inputs)
