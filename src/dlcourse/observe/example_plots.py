"""Plots of examples and of the learned function: mistakes, boundary, fitted curve, weights."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import WHITE, FinalTest, Fold, Recipe, Split, State
from dlcourse.introspect.classification import confident_mistakes, true_class
from dlcourse.introspect.displayed import displayed
from dlcourse.introspect.grid import outputs_on_a_line, outputs_on_a_plane, predictor
from dlcourse.introspect.linear_map import LinearWeights, feature_names
from dlcourse.runs.messages import weights_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_RESIDUALS = 25
MOST_RECONSTRUCTIONS = 10
LONGEST_TITLE = 80


class Finished(NamedTuple):
    """A finished run or fold, with its best weights in ``state.model``."""

    state: State
    recipe: Recipe
    fold: Fold
    test: FinalTest
    result: dict


def mistakes(run: Finished) -> "Figure":
    """Draw the test examples that are wrong with the largest probability; see ``drawing.mistakes``.

    Only these are read where images are on the disk.
    """
    from dlcourse.drawing import mistakes as drawing

    test, dataset = run.test, run.test.dataset
    found = confident_mistakes(test.outputs, test.targets)
    inputs = examples_at(dataset.test, [position for position, *_ in found])
    title, classes = mistakes_title(test, len(found)), list(dataset.classes)
    if len(dataset.input_shape) == 3:
        return drawing.draw_image_mistakes(displayed(inputs), found, classes, title)
    everything, names = dataset.test.inputs.cpu().float().numpy(), feature_names(dataset)
    if dataset.input_shape == (2,):
        own = true_class(test.targets).numpy()
        return drawing.draw_point_mistakes(everything, own, found, classes, names, title)
    typical = everything.mean(0), everything.std(0)
    rows = inputs.float().numpy()
    return drawing.draw_table_mistakes(rows, typical, names, found, classes, title)


def mistakes_title(test: FinalTest, shown: int) -> str:
    """Return what the plot of mistakes shows, with the number of mistakes."""
    wrong = int((test.outputs.argmax(1) != true_class(test.targets)).sum())
    total = f"{len(test.targets):,} test example{'s' * (len(test.targets) != 1)}"
    of = "probabilities" if test.kind == "softmax" else "softmax of their scores"
    below = f"below: the true class, and as what it is classified ({of})"
    if len(test.dataset.input_shape) == 1:
        below = f"the true class, and as what it is classified ({of})"
    if not wrong:
        return f"No mistakes among {total}; the {shown} least certain\n{below}"
    all_of = f"All {wrong} mistakes" if wrong > 1 else "The only mistake"
    most = f"The {shown} most confident of {wrong:,} mistakes"
    return f"{most if shown < wrong else all_of} among {total}\n{below}"


def residuals(run: Finished) -> "Figure":
    """Draw the test of a regression: predictions against targets, or the worst reconstructions."""
    outputs = run.test.outputs.double()
    targets = run.test.targets.double().view_as(outputs)
    errors, shape = (outputs - targets).square(), run.test.dataset.input_shape
    if len(shape) == 3 and outputs.shape[1] == torch.Size(shape).numel():
        return reconstructions(run, errors.mean(1).sqrt())
    from dlcourse.drawing.mistakes import draw_residuals

    worst = errors.flatten().argsort(descending=True, stable=True)[:MOST_RESIDUALS]
    rmse = float(errors.mean().sqrt())
    title = f"{run.test.dataset.name}: RMSE {rmse:.4g} on {len(targets):,} test examples"
    flat = targets.flatten().numpy(), outputs.flatten().numpy()
    return draw_residuals(*flat, worst.tolist(), title)


def reconstructions(run: Finished, errors: Tensor) -> "Figure":
    """Draw the worst reconstructed images below their originals. errors: (N,), RMSE of pixels."""
    from dlcourse.drawing.image_grid import draw_image_grid

    worst = errors.argsort(descending=True, stable=True)[:MOST_RECONSTRUCTIONS].tolist()
    inputs = examples_at(run.test.dataset.test, worst)
    made = run.test.outputs[worst].float().view(inputs.shape).clamp(0, 1) * WHITE
    labels = [""] * len(worst) + [f"error {float(errors[n]):.3f}" for n in worst]
    title = (
        f"The {len(worst)} worst reconstructions of {len(errors):,} test images, below their "
        f"originals\nroot mean squared error of a pixel, 0 to 1; mean {float(errors.mean()):.3f}"
    )
    images = [*displayed(inputs), *displayed(made)]
    return draw_image_grid(images, labels, columns=len(worst), title=title)


def boundary(run: Finished) -> "Figure":
    """Draw the predicted class all over the plane of two features, with the examples."""
    from dlcourse.drawing.boundary import Points, draw_boundary

    train, test, dataset = run.fold.train, run.test.dataset.test, run.test.dataset
    predict = predictor(run.state.model, run.fold.standardize, run.recipe)
    both = torch.cat([train.inputs.cpu(), test.inputs.cpu()])
    sides, outputs = outputs_on_a_plane(predict, both)
    points = [
        Points(part, some.inputs.cpu().numpy(), true_class(some.targets).cpu().numpy())
        for part, some in (("train", train), ("test", test))
    ]
    right = int((run.test.outputs.argmax(1) == true_class(run.test.targets)).sum())
    title = f"{dataset.name}: {right:,} of {len(test):,} test examples are correct"
    return draw_boundary(
        sides, softmax(outputs), points, dataset.classes,
        features=feature_names(dataset), title=title,
    )  # fmt: skip


def softmax(outputs: np.ndarray) -> np.ndarray:
    """Return the softmax over the last axis, in float64."""
    return torch.from_numpy(outputs).double().softmax(-1).numpy()


def fitted_curve(run: Finished) -> "Figure":
    """Draw the predictions over the one input, the examples, and the true function if known."""
    from dlcourse.drawing.fitted_curve import draw_fitted_curve

    train, test, dataset = run.fold.train, run.test.dataset.test, run.test.dataset
    predict = predictor(run.state.model, run.fold.standardize, run.recipe)
    both = torch.cat([train.inputs.cpu(), test.inputs.cpu()])
    x, fitted = outputs_on_a_line(predict, both)
    truth = None
    if dataset.truth is not None:
        truth = dataset.truth(torch.from_numpy(x)[:, None])[:, 0].numpy()
    points = [
        (part, some.inputs[:, 0].cpu().numpy(), some.targets[:, 0].cpu().numpy())
        for part, some in (("train", train), ("test", test))
    ]
    names = (feature_names(dataset)[0], "t")
    title = f"{dataset.name}: test loss {run.result['test']['loss']:.4g}"
    return draw_fitted_curve(x, fitted[:, 0], points, truth=truth, names=names, title=title)


def weights(result: dict) -> "Figure":
    """Draw the weights of a linear model of a table, next to the true ones if known."""
    from dlcourse.drawing.weights import draw_weights

    found, true = result["weights"], result["weights"].get("true")
    title = (weights_lines(result, 1000) or [""])[0]
    outputs = found["outputs"] if len(found["w"]) > 1 or result["classes"] else ["learned"]
    return draw_weights(
        found["terms"], np.array(found["w"]), outputs,
        true=None if true is None else np.array(true["w"]),
        title=title if len(title) <= LONGEST_TITLE else "weights of the linear model",
    )  # fmt: skip


def templates(found: LinearWeights, run: Finished) -> "Figure":
    """Draw the weights of a linear classifier of images, one image for each class."""
    from dlcourse.drawing.weights import draw_templates

    channels, height, width = run.test.dataset.input_shape
    images = found.weights.view(-1, channels, height, width)
    shown = images.permute(0, 2, 3, 1) if channels == 3 else images.mean(1)
    title = "Weights of each class for every pixel"
    return draw_templates(shown.numpy(), found.outputs, title)


def examples_at(split: Split, positions: list[int]) -> Tensor:
    """Return the raw inputs (n, ...) at some positions, on the CPU; no others are read."""
    index = torch.tensor(positions, dtype=torch.int64, device=split.device)
    ((inputs, _),) = split.batches([index])
    return inputs.cpu()
