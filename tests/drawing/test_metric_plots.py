"""Plots show the given numbers, for few classes and for many."""

import io

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from dlcourse.drawing.calibration import draw_calibration
from dlcourse.drawing.confusion import draw_confusion
from dlcourse.drawing.per_class import MANY_ROWS, draw_per_class
from dlcourse.drawing.precision_recall import WORST_CURVES, draw_precision_recall
from dlcourse.drawing.style import COLOURS, FAINT
from dlcourse.metric.average_precision import AveragePrecision
from dlcourse.metric.calibration import Calibration
from dlcourse.metric.confusion import Confusion


def example_results(classes):
    """Return the metrics of made-up outputs, better for later classes, and the class names."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(10 * classes) % classes
    outputs = torch.randn(10 * classes, classes, generator=generator)
    outputs[range(10 * classes), targets] += targets / classes * 4
    full = {}
    for metric in (Confusion(), AveragePrecision(bins=10), Calibration(bins=15)):
        full |= metric.full(outputs, targets)
    return full, [f"class {number}" for number in range(classes)]


def draw(name, full, names):
    """Return one of the four plots."""
    return {
        "confusion": lambda: draw_confusion(full["confusion"], names),
        "precision_recall": lambda: draw_precision_recall(full, names),
        "calibration": lambda: draw_calibration(full["calibration"]),
        "per_class": lambda: draw_per_class(full["per_class"], names),
    }[name]()


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("name", ["confusion", "precision_recall", "calibration", "per_class"])
def test_a_plot_of_two_ten_or_a_hundred_classes_is_no_larger_than_a_screen(name, classes):
    file = io.BytesIO()
    draw(name, *example_results(classes)).savefig(file, dpi=50)
    file.seek(0)
    height, width, _ = imread(file).shape
    assert 60 < height <= 620
    assert 150 < width <= 620


def test_the_counts_are_written_into_the_matrix():
    figure = draw_confusion([[5, 1], [0, 7]], ["cat", "dog"])
    assert {text.get_text() for text in figure.axes[0].texts} == {"5", "1", "0", "7"}
    assert figure.axes[0].get_ylabel() == "true class"
    assert len(draw_confusion([[1] * 30] * 30, [*map(str, range(30))]).axes[0].texts) == 0


def test_a_class_without_examples_has_an_empty_row_and_no_curve():
    full, names = example_results(3)
    full["confusion"][1] = [0, 0, 0]
    full["average_precision"]["per_class"][1] = full["average_precision"]["curves"][1] = None
    shares = draw_confusion(full["confusion"], names).axes[0].images[0].get_array()
    assert np.asarray(shares)[1].tolist() == [0, 0, 0]
    assert labels(draw_precision_recall(full, names), names) == {
        "class 0",
        "class 2",
    }


def labels(figure, names):
    """Return the names in a figure's legend."""
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    return {name for name in names for text in texts if text.startswith(f"{name} ")}


def test_the_curves_of_ten_classes_differ_in_colour_or_line_style():
    full, names = example_results(10)
    figure = draw_precision_recall(full, names)
    curves = [line for line in figure.axes[0].lines if line.get_color() in COLOURS]
    assert len({(line.get_color(), line.get_linestyle()) for line in curves}) == 10


def test_the_area_below_a_drawn_curve_is_its_average_precision():
    full, names = example_results(3)
    figure = draw_precision_recall(full, names)
    curves = [line for line in figure.axes[0].lines if line.get_color() in COLOURS]
    for line, area in zip(curves, full["average_precision"]["per_class"], strict=True):
        recall, precision = line.get_data()
        assert np.sum(np.diff(recall) * precision[1:]) == pytest.approx(area, abs=1e-3)


def test_with_many_classes_the_worst_curves_are_named_and_the_others_are_grey():
    full, names = example_results(100)
    figure = draw_precision_recall(full, names)
    areas = full["average_precision"]["per_class"]
    worst = sorted(range(100), key=areas.__getitem__)[:WORST_CURVES]
    assert labels(figure, names) == {names[number] for number in worst}
    grey = [line for line in figure.axes[0].lines if line.get_color() == FAINT]
    assert len(grey) == 100 - WORST_CURVES + 1  # and one for the legend


@pytest.mark.parametrize("classes", [10, 100])
def test_the_dots_are_the_metrics_of_the_classes_from_worst_to_best(classes):
    full, names = example_results(classes)
    axes = draw_per_class(full["per_class"], names).axes[0]
    order = np.argsort(full["per_class"]["f1"], kind="stable")
    if classes > MANY_ROWS:
        order = np.concatenate([order[: MANY_ROWS // 2], order[-MANY_ROWS // 2 :]])
    written = [label.get_text() for label in axes.get_yticklabels()]
    assert written == [f"{names[n]}  ({full['per_class']['support'][n]})" for n in order]
    for line, name in zip(axes.lines, ("precision", "recall", "f1"), strict=True):
        assert line.get_xdata().tolist() == [full["per_class"][name][n] for n in order]


def test_the_bars_are_the_accuracies_and_the_gaps_end_at_the_confidence():
    table = {"confidence": [None, 0.4, 0.9], "accuracy": [None, 0.6, 0.7], "count": [0, 1, 3]}
    upper, lower = draw_calibration(table).axes
    accuracy, gap = upper.containers
    assert [bar.get_height() for bar in accuracy] == [0.6, 0.7]
    assert [bar.get_y() + bar.get_height() for bar in gap] == pytest.approx([0.4, 0.9])
    assert [bar.get_x() for bar in accuracy] == pytest.approx([1 / 3, 2 / 3])
    assert [bar.get_height() for bar in lower.containers[0]] == [0.25, 0.75]
    assert "0.2000" in upper.get_title(loc="left")
