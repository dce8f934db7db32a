"""The plots of a finished run and of a cross-validation: which there are, and who draws them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor

from dlcourse.core import AllFolds, State
from dlcourse.introspect.classification import confusion_report, reliability_table
from dlcourse.introspect.linear_map import linear_weights
from dlcourse.introspect.several_classes import HALF, several_classes_report
from dlcourse.observe import example_plots, several_classes_mistakes
from dlcourse.observe.example_plots import Finished

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[], "Figure"]

RUN_PLOTS = (
    "curves", "confusion", "per_class", "precision_recall", "calibration", "mistakes", "boundary",
    "fit", "weights", "templates",
)  # fmt: skip
MOST_CLASSES = 2000  # of a confusion matrix that is drawn


def plots_of_run(run: Finished) -> dict[str, Draw]:
    """Return functions that draw the plots of a run, by name; none has been called yet."""
    dataset, shape = run.test.dataset, run.test.dataset.input_shape
    plots: dict[str, Draw] = {"curves": lambda: curves(run)}
    tested = run.test.outputs, run.test.targets, list(dataset.classes), run.result
    if dataset.task == "multilabel":
        plots |= several_classes_plots(*tested)
        plots["mistakes"] = lambda: several_classes_mistakes.mistakes_of_several(run)
    elif dataset.classes:
        plots |= classifier_plots(*tested, "test")
        plots["mistakes"] = lambda: example_plots.mistakes(run)
    else:
        plots["mistakes"] = lambda: example_plots.residuals(run)
    if shape == (2,) and dataset.task == "classification":
        plots["boundary"] = lambda: example_plots.boundary(run)
    if shape == (1,) and not dataset.classes and run.test.outputs.shape[1] == 1:
        plots["fit"] = lambda: example_plots.fitted_curve(run)
    if "weights" in run.result:
        plots["weights"] = lambda: example_plots.weights(run.result)
    if len(shape) == 3 and dataset.classes:
        found = linear_weights(run.state.model, run.fold.standardize, dataset)
        if found is not None:
            plots["templates"] = lambda: example_plots.templates(found, run)
    return plots


def classifier_plots(
    outputs: Tensor, targets: Tensor, classes: list[str], full: dict[str, Any], examples: str
) -> dict[str, Draw]:
    """Return functions that draw what a classifier got right.

    Confusion, rates of the classes and calibration are computed from the outputs where their metric
    is not chosen; other metrics are drawn only if chosen.

    full: the reports of the chosen metrics. examples: what was tested, for the titles.
    """
    from dlcourse.drawing.calibration import draw_calibration  # matplotlib, after the training
    from dlcourse.drawing.confusion import draw_confusion
    from dlcourse.drawing.per_class import draw_per_class
    from dlcourse.drawing.precision_recall import draw_precision_recall

    counted = full if "confusion" in full else confusion_report(outputs, targets)
    table = full.get("calibration") or reliability_table(outputs, targets)
    plots: dict[str, Draw] = {}
    if len(classes) <= MOST_CLASSES:
        plots["confusion"] = lambda: draw_confusion(counted["confusion"], classes, examples)
    plots["per_class"] = lambda: draw_per_class(counted["per_class"], classes)
    if "average_precision" in full:
        plots["precision_recall"] = lambda: draw_precision_recall(full, classes)
    plots["calibration"] = lambda: draw_calibration(table)
    return plots


def several_classes_plots(
    outputs: Tensor, targets: Tensor, classes: list[str], full: dict[str, Any]
) -> dict[str, Draw]:
    """Return functions that draw what a classifier of several classes per example got right.

    The arguments are those of ``classifier_plots``. A confusion matrix would need one class for
    each example.
    """
    from dlcourse.drawing.per_class import draw_per_class  # matplotlib, after the training
    from dlcourse.drawing.precision_recall import draw_precision_recall

    counted = full if "confusion_2x2" in full else several_classes_report(outputs, targets, HALF)
    plots: dict[str, Draw] = {}
    plots["per_class"] = lambda: draw_per_class(counted["per_class"], classes)
    if (full.get("average_precision") or {}).get("macro") is not None:
        plots["precision_recall"] = lambda: draw_precision_recall(full, classes)
    return plots


def plots_of_folds(folds: AllFolds) -> dict[str, Draw]:
    """Return functions that draw a cross-validation: curves of all folds, pooled confusion."""
    plots: dict[str, Draw] = {"curves": lambda: fold_curves(folds)}
    classes = list(folds.result["classes"])
    if folds.result["task"] == "multilabel" and len(folds.targets):
        pooled = several_classes_plots(folds.outputs, folds.targets, classes, {})
        plots["per_class"] = pooled["per_class"]
    elif classes and len(folds.targets):
        what = "out-of-fold validation"
        pooled = classifier_plots(folds.outputs, folds.targets, classes, {}, what)
        plots |= {name: pooled[name] for name in ("confusion", "per_class") if name in pooled}
    return plots


def curves(run: Finished) -> "Figure":
    """Draw loss, monitored metric and learning rate over the epochs."""
    from dlcourse.drawing.curves import draw_run_curves

    rows = [{"epoch": record.epoch, **record.metrics} for record in run.state.history]
    return draw_run_curves(rows, run.recipe.monitor, run.result["best_epoch"])


def curves_until(state: State, monitor: str) -> "Figure":
    """Draw the curves of a run until it diverged."""
    from dlcourse.drawing.curves import draw_run_curves

    rows = [{"epoch": record.epoch, **record.metrics} for record in state.history]
    return draw_run_curves(rows, monitor, title=f"diverged after epoch {len(rows)}")


def fold_curves(folds: AllFolds) -> "Figure":
    """Draw the curves of all folds, their mean and a band."""
    from dlcourse.drawing.fold_curves import draw_fold_curves

    rows = {
        name: [{"epoch": record.epoch, **record.metrics} for record in history]
        for name, history in folds.histories.items()
    }
    best = [fold["best"] for fold in folds.result["folds"]]
    return draw_fold_curves(rows, folds.result["monitor"], best)
