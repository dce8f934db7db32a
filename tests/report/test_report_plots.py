"""The plots of a report have the panels, lines and cells of its points."""

import pytest
from run_folders import held_out, write_run

from dlcourse.report.plots.all_plots import plots
from dlcourse.report.plots.levels import around_base, marginal, scale_of
from dlcourse.report.points import group_points, swept_keys
from dlcourse.report.runs import find_runs


def points_of(folder, *table):
    """Write a run for each row (overrides, value); return the points."""
    for number, (overrides, value) in enumerate(table):
        write_run(folder / f"{number:03}", *overrides.split(), ending=held_out(value, value))
    return group_points(find_runs([folder]))


def drawn(points, importances=None):
    made = plots(points, swept_keys(points), importances or {})
    figures = {name: draw() for name, draw in made.items()}
    return {name: figure for name, figure in figures.items() if figure is not None}


@pytest.fixture
def grid(tmp_path):
    """Return three optimizers by three rates, two seeds each."""
    return points_of(
        tmp_path,
        *(
            (f"optim={optim} optim.lr={rate} seed={seed}", 0.5 + 0.1 * one + 0.02 * two + seed / 99)
            for one, optim in enumerate(("sgd", "adam", "muon"))
            for two, rate in enumerate((0.1, 0.001, 0.01))
            for seed in (0, 1)
        ),
    )


def test_a_grid_has_all_plots(grid):
    figures = drawn(grid, {"optim": 0.8, "optim.lr": 0.2})
    assert set(figures) == {
        "main_effects", "heat_map", "learning_rate", "importances",
    }  # fmt: skip
    first, second = figures["main_effects"].axes
    assert (first.get_xlabel(), second.get_xlabel()) == ("optim", "optim.lr")
    assert (first.get_xscale(), second.get_xscale()) == ("linear", "log")
    heat = figures["heat_map"].axes[0]
    assert len(heat.texts) == 9
    rates = figures["learning_rate"].axes[0]
    assert [line.get_label() for line in rates.lines] == ["sgd", "adam", "muon"]
    assert list(rates.lines[0].get_xdata()) == [0.001, 0.01, 0.1]
    assert len(rates.collections) == 3
    assert [bar.get_width() for bar in figures["importances"].axes[0].patches] == [20, 80]


def test_the_deviation_of_a_marginal_mean_is_over_repeats_and_not_over_the_other_key(grid):
    result = marginal([point for point in grid if point.values["optim"] == "sgd"])
    assert result.n == 2
    assert result.mean == pytest.approx(0.52 + 0.5 / 99)
    assert result.std == pytest.approx(0.5**0.5 / 99)


def test_points_of_one_at_a_time_are_compared_around_their_base(tmp_path):
    points = points_of(
        tmp_path,
        ("model=mlp optim.lr=0.1 model.norm=none", 0.5),
        ("model=lenet optim.lr=0.1 model.norm=none", 0.6),
        ("model=mlp optim.lr=0.2 model.norm=none", 0.1),
        ("model=mlp optim.lr=0.1 model.norm=batch", 0.9),
    )
    keys = ["model", "optim.lr", "model.norm"]
    levels = scale_of(around_base(points, "model", keys), "model").levels
    assert [(level.name, level.spread.mean) for level in levels] == [("mlp", 0.5), ("lenet", 0.6)]
    figures = drawn(points)
    assert "heat_map" not in figures
    assert len(figures["main_effects"].axes) == 3
    assert len(figures["learning_rate"].axes[0].lines) == 1


def test_points_with_random_numbers_are_scatter_plots(tmp_path):
    rows = [(f"optim.lr={0.001 * 1.3**n} model.dropout=0.{n + 10}", n / 30) for n in range(20)]
    figures = drawn(points_of(tmp_path, *rows))
    assert all(len(axes.lines) == 0 for axes in figures["main_effects"].axes)
    assert len(figures["heat_map"].axes[0].collections[0].get_offsets()) == 20
    assert figures["learning_rate"].axes[0].lines[0].get_linestyle() == "None"


def test_a_cell_without_a_point_is_empty(tmp_path):
    rows = [("model=mlp optim=sgd", 0.5), ("model=mlp optim=adam", 0.6)]
    rows += [("model=lenet optim=sgd", 0.7), ("model=linear optim=adam", 0.4)]
    figure = drawn(points_of(tmp_path, *rows))["heat_map"]
    assert sorted(text.get_text() for text in figure.axes[0].texts)[-2:] == ["–", "–"]


def test_a_point_that_is_nan_is_not_drawn(tmp_path):
    rows = [("optim.lr=0.1", 0.5), ("optim.lr=0.2", 0.6), ("optim.lr=0.3", float("nan"))]
    figure = drawn(points_of(tmp_path, *rows))["learning_rate"]
    assert len(figure.axes[0].lines[0].get_xdata()) == 2


def test_a_single_point_has_no_plot(tmp_path):
    assert drawn(points_of(tmp_path, ("optim.lr=0.1", 0.5))) == {}


def with_diverged(folder, mode="max"):
    """Return points over five rates, of which the two largest diverged with sgd, one with adam."""
    number = 0
    for optim, lost in (("sgd", 2), ("adam", 1)):
        for place, rate in enumerate((0, 0.001, 0.01, 0.1, 1)):
            overrides = [f"optim={optim}", f"optim.lr={rate}", f'mode="{mode}"']
            diverged = {"reason": "Training diverged in epoch 2", "diverged": True}
            if place >= 5 - lost:
                write_run(folder / str(number), *overrides, ending=diverged, name="failure.json")
            else:
                write_run(folder / str(number), *overrides, ending=held_out(0.5 + place / 10))
            number += 1
    return group_points(find_runs([folder]))


def crosses_of(axes):
    """Return (x, y) of the crosses; y is a share of the axes' height."""
    lines = [line for line in axes.lines if line.get_marker() == "x"]
    return sorted((float(x), float(y)) for line in lines for x, y in line.get_xydata())


@pytest.mark.parametrize(("mode", "edge"), [("max", 0.0), ("min", 1.0)])
def test_a_rate_that_diverged_is_a_cross_at_the_worse_edge(tmp_path, mode, edge):
    figures = drawn(with_diverged(tmp_path, mode))
    rates = figures["learning_rate"].axes[0]
    found = crosses_of(rates)
    assert [x for x, _ in found] == [0.1, 1, 1]
    assert all(abs(y - edge) < 0.1 for _, y in found)
    assert "diverged" in rates.get_title(loc="left")
    assert [tick.get_text() for tick in rates.get_xticklabels()] == [
        "0",
        "0.001",
        "0.01",
        "0.1",
        "1",
    ]
    effects = next(axes for axes in figures["main_effects"].axes if axes.get_xlabel() == "optim.lr")
    assert {x for x, _ in crosses_of(effects)} == {0.1, 1}
    texts = [text.get_text() for text in figures["heat_map"].axes[0].texts]
    assert texts.count("diverged") == 1
    assert "optim.lr=1" in figures["heat_map"].axes[0].get_title(loc="left")


def test_zero_is_left_of_the_others_on_a_logarithmic_axis(tmp_path):
    figures = drawn(with_diverged(tmp_path))
    axes = figures["learning_rate"].axes[0]
    assert axes.get_xscale() == "log"
    places = axes.get_xticks()
    assert list(places[1:]) == [0.001, 0.01, 0.1, 1]
    assert 0 < places[0] < 0.001


def test_few_repeats_are_drawn_as_dots_and_more_with_an_interval(tmp_path):
    for count, known in ((2, False), (5, True)):
        folder = tmp_path / str(count)
        rows = [
            (f"optim.lr={rate} seed={seed}", 0.9 + seed / 99)
            for rate in (0.1, 0.01)
            for seed in range(count)
        ]
        points = points_of(folder, *rows)
        assert all((point.val.low is not None) == known for point in points)
        figures = drawn(points)
        dots = figures["learning_rate"].axes[0].collections[-1].get_offsets()
        if not known:
            assert len(dots) == 4, "a dot for every run"
        assert ("interval" in figures["main_effects"].get_suptitle()) == known
