"""The plots of embeddings, loss surfaces and weights show the numbers, also odd ones."""

import numpy as np
import pytest

from dlcourse.drawing.embedding import Panel, draw_embedding, look_of_class
from dlcourse.drawing.files import figure_bytes
from dlcourse.drawing.loss_surface import draw_loss_line, draw_loss_surface, ticks_between
from dlcourse.drawing.weight_distribution import LayerWeights, draw_weight_distribution


def texts(figure) -> list[str]:
    """Return the texts inside the axes of a figure."""
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def panel(points) -> Panel:
    return Panel("a panel", ("x", "y"), np.asarray(points, dtype=float))


def test_every_class_is_named_at_its_median():
    points = [[0, 0], [2, 2], [1, 1], [9, 9]]
    figure = draw_embedding([panel(points)], np.array([0, 0, 0, 1]), ["cat", "$dog_1$"], "title")
    labels = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert labels == {"cat": (1, 1), "$dog_1$": (9, 9)}
    assert figure_bytes(figure)


def test_a_hundred_classes_look_different_and_are_numbered():
    assert len({tuple(look_of_class(number).values()) for number in range(100)}) == 100
    targets = np.arange(100)
    classes = [f"name {number}" for number in range(100)]
    points = np.random.default_rng(0).normal(size=(100, 2))
    figure = draw_embedding([panel(points)], targets, classes, "title")
    assert texts(figure) == [str(number) for number in range(100)]


def test_thumbnails_do_not_cover_each_other_and_no_point_is_lost():
    points = [[0, 0], [0, 0.001], [5, 5], [0.2, 0.1]]
    images = [np.ones((8, 8)), np.ones((8, 8)), np.ones((8, 8, 3)), np.zeros((8, 8))]
    figure = draw_embedding([panel(points)], np.array([0, 0, 1, 1]), ["a", "b"], "title", images)
    assert len(figure.axes[0].artists) == 2  # the fourth is next to the first and stays a point
    assert sum(len(dots.get_offsets()) for dots in figure.axes[0].collections) == 1
    assert figure_bytes(figure)


@pytest.mark.parametrize("points", [np.zeros((3, 2)), [[0, 0], [1, 0], [2, 0]]])
def test_points_without_extent_and_a_regression_are_drawn(points):
    figure = draw_embedding([panel(points)] * 2, np.array([0.5, 1.5, 2.5]), [], "title")
    assert figure_bytes(figure)


SIDES = (np.linspace(-1, 1, 5), np.linspace(-2, 2, 3))


@pytest.mark.parametrize(
    "losses",
    [
        np.linspace(0.1, 5, 15).reshape(3, 5),
        np.zeros((3, 5)),
        np.ones((3, 5)),
        np.where(np.arange(15).reshape(3, 5) % 4, 1.0, np.nan),
        np.full((3, 5), np.inf),
        np.geomspace(1e-9, 1e30, 15).reshape(3, 5),
    ],
    ids=["usual", "zero", "equal", "some undefined", "infinite", "enormous"],
)
@pytest.mark.filterwarnings("ignore:No contour levels were found")
def test_every_loss_surface_is_drawn(losses):
    path = np.array([[0.9, 0.5], [0.1, 0.1], [0, 0]])
    epochs = ["epoch 0", "epoch 1", "epoch 2"]
    figure = draw_loss_surface(
        SIDES, losses, names=("a", "b"), title="title", path=path, epochs=epochs
    )
    assert figure_bytes(figure)
    assert {"epoch 0", "epoch 2"} <= set(texts(figure))


def test_the_colour_bar_has_at_least_four_numbers():
    for low, high in [(0.1, 0.2), (1, 1.01), (1e-6, 1e4), (2, 30)]:
        ticks = ticks_between(low, high)
        assert len(ticks) >= 4
        assert ticks[0] >= low * 0.999
        assert ticks[-1] <= high * 1.001


def test_a_line_between_two_weights_marks_both_ends():
    along = np.linspace(-0.2, 1.2, 8)
    losses = {"training": 1 + along**2, "test": np.geomspace(1, 1e4, 8)}
    figure = draw_loss_line(along, losses, ends=("A", "B"), name="from A to B", title="title")
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert texts(figure) == ["A", "B"]
    assert figure_bytes(figure)


def test_the_share_of_weights_near_zero_is_written_at_each_layer():
    sparse = LayerWeights("fc.weight", np.array([0.0] * 9 + [1.0]), 0.9)
    layers = [sparse, LayerWeights("out", np.array([0.5]), 0.0), LayerWeights("0", np.zeros(3), 1)]
    figure = draw_weight_distribution(layers, 1e-3, "title")
    assert "near 0: 90%" in texts(figure)[0]
    assert figure.axes[0].get_yscale() == "symlog"
    assert "|w| < 0.001" in figure.get_supxlabel()
    assert figure_bytes(figure)


def test_of_many_layers_some_are_drawn_and_the_number_of_others_is_written():
    layers = [LayerWeights(f"layer {n}", np.arange(5.0), 0.2) for n in range(100)]
    figure = draw_weight_distribution(layers, 1e-3, "title")
    assert len([axes for axes in figure.axes if axes.axison]) == 24
    assert "76 layers between" in figure.get_supxlabel()
