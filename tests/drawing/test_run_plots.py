"""Plots of a run show the given numbers: curves, boundary, fitted curve, mistakes, weights."""

import math

import numpy as np
import pytest

from dlcourse.drawing.boundary import Points, draw_boundary
from dlcourse.drawing.curves import draw_run_curves
from dlcourse.drawing.fitted_curve import draw_fitted_curve
from dlcourse.drawing.fold_curves import draw_fold_curves
from dlcourse.drawing.mistakes import draw_image_mistakes, draw_residuals, draw_table_mistakes
from dlcourse.drawing.weights import MOST_ROWS, draw_templates, draw_weights


def history(epochs, *, factor=0.9, lr=0.1):
    """Return a history with a loss that falls by a factor each epoch."""
    return [
        {"epoch": e, "train/loss": factor**e, "val/loss": factor**e + 0.1,
         "train/accuracy": 1 - factor**e, "val/accuracy": 0.9 - factor**e, "lr": lr}
        for e in range(1, epochs + 1)
    ]  # fmt: skip


def labelled(axes):
    """Return the curves of a panel by their label."""
    return {line.get_label(): line for line in axes.lines}


def test_loss_metric_and_learning_rate_have_a_panel_each_with_both_parts():
    rows = history(4)
    figure = draw_run_curves(rows, "val/accuracy", 3)
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy", "learning rate"]
    curves = labelled(figure.axes[0])
    assert list(curves["training"].get_ydata()) == [row["train/loss"] for row in rows]
    assert list(curves["validation"].get_ydata()) == [row["val/loss"] for row in rows]
    assert curves["training"].get_linestyle() != curves["validation"].get_linestyle()
    ring = figure.axes[1].lines[-1]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (3, rows[2]["val/accuracy"])
    assert "epoch 3 of 4" in figure.get_suptitle()


@pytest.mark.parametrize(("factor", "scale"), [(0.9, "linear"), (0.2, "log")])
def test_a_loss_over_decades_has_a_logarithmic_axis(factor, scale):
    rows = [{"epoch": row["epoch"], "train/loss": row["train/loss"]} for row in
            history(4, factor=factor)]  # fmt: skip
    assert draw_run_curves(rows, "train/loss", 4).axes[0].get_yscale() == scale


def test_a_loss_that_is_zero_or_negative_has_a_linear_axis():
    rows = [{"epoch": 1, "train/loss": 100.0}, {"epoch": 2, "train/loss": 0.0}]
    assert draw_run_curves(rows, "train/loss", 2).axes[0].get_yscale() == "linear"


def test_undefined_values_leave_gaps_and_a_metric_without_values_says_so():
    rows = history(3)
    rows[1]["val/loss"] = None
    for row in rows:
        row["val/accuracy"] = math.nan
        row["train/accuracy"] = None
    figure = draw_run_curves(rows, "val/accuracy", 1)
    assert math.isnan(labelled(figure.axes[0])["validation"].get_ydata()[1])
    assert [text.get_text() for text in figure.axes[1].texts] == ["undefined in every epoch"]


def test_a_single_epoch_is_a_mark_and_no_epoch_an_error():
    (axes, *_) = draw_run_curves(history(1), "val/loss", 1).axes
    assert labelled(axes)["training"].get_marker() == "o"
    with pytest.raises(ValueError, match="no epochs"):
        draw_run_curves([], "val/loss")


def test_the_mean_of_folds_covers_the_epochs_that_all_of_them_have():
    folds = {"fold0": history(3), "fold1": history(5, factor=0.8)}
    axes = draw_fold_curves(folds, "val/loss", [0.5, 0.7]).axes[0]
    mean = labelled(axes)["training, mean of folds"].get_ydata()
    assert mean == pytest.approx([(0.9**e + 0.8**e) / 2 for e in (1, 2, 3)])
    assert len(axes.collections) == 2  # a band for each part


def test_every_region_has_the_colour_of_its_class_and_parts_have_their_own_mark():
    x, y = np.linspace(0, 1, 5), np.linspace(0, 2, 6)
    first = np.tile(np.array([1.0, 0.9, 0.6, 0.1, 0.0]), (6, 1))
    probabilities = np.stack([first, 1 - first], 2)
    some = Points("train", np.array([[0.1, 0.2]]), np.array([0]))
    other = Points("test", np.array([[0.9, 1.2]]), np.array([1]))
    figure = draw_boundary((x, y), probabilities, [some, other], ["a", "b"])
    image = figure.axes[0].images[0].get_array()
    assert image[0, 0, 2] > image[0, 0, 0], "blue on the left"
    assert image[0, 4, 0] > image[0, 4, 2], "orange on the right"
    assert np.allclose(image[:, 0], image[0, 0])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["a", "b", "train, 1", "test, 1"]
    assert len(figure.axes[0].collections) == 4  # two boundaries, two parts


def test_a_curve_that_leaves_the_data_is_cut_off():
    x, targets = np.linspace(0, 1, 50), np.array([0.0, 1.0])
    points = [("train", np.array([0.2, 0.8]), targets)]
    figure = draw_fitted_curve(x, 1000 * x, points, truth=x)
    assert figure.axes[0].get_ylim()[1] < 2
    assert set(labelled(figure.axes[0])) >= {"true function", "fitted curve"}


def test_mistakes_show_both_classes_with_their_probabilities():
    mistakes = [(0, 1, 0, 0.25, 0.75)]
    figure = draw_image_mistakes([np.zeros((4, 4))], mistakes, ["cat", "dog"], "a title")
    assert [text.get_text() for text in figure.axes[0].texts] == ["dog (0.25)\nas cat (0.75)"]
    rows, typical = np.array([[1.0, 20.0]]), (np.zeros(2), np.array([1.0, 0.0]))
    axes = draw_table_mistakes(rows, typical, ["u", "v"], mistakes, ["cat", "dog"], "a").axes[0]
    assert [text.get_text() for text in axes.texts] == ["1", "20"]


def test_the_largest_residuals_are_marked():
    targets, predictions = np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, 2.0])
    marked = draw_residuals(targets, predictions, [1], "a").axes[0].lines[-1]
    assert (marked.get_xdata().tolist(), marked.get_ydata().tolist()) == ([1], [3])


def test_of_many_weights_the_largest_are_shown_next_to_the_true_ones():
    names = [f"x{number}" for number in range(100)]
    weights = np.arange(100.0)[None]
    figure = draw_weights(names, weights, ["learned"], true=weights + 1)
    axes = figure.axes[0]
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert shown == names[-MOST_ROWS:]
    assert "60 smaller weights" in figure.get_supxlabel()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["learned", "true"]


@pytest.mark.parametrize("shape", [(2, 4, 4), (2, 4, 4, 3)])
def test_weights_of_all_classes_share_a_scale_with_0_in_its_middle(shape):
    weights = np.zeros(shape)
    weights[1] = -2.0
    first, second = (axes.images[0] for axes in draw_templates(weights, ["a", "b"]).axes)
    if len(shape) == 3:
        assert first.get_clim() == second.get_clim() == (-2, 2)
    else:
        assert np.allclose(first.get_array(), 0.5)
        assert np.allclose(second.get_array(), 0)
