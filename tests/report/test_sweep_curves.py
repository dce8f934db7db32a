"""The curves of a sweep: a line for each point with the band of its repeats."""

from itertools import pairwise

import pytest
from run_folders import crossed, held_out, write_history, write_run

from dlcourse.drawing.style import line_look
from dlcourse.report.histories import band_of, outside_band, read_history, traces_of
from dlcourse.report.plots.curves import BACKGROUND, draw_curves
from dlcourse.report.points import group_points, swept_keys
from dlcourse.report.runs import find_runs
from dlcourse.report.write_report import write_report


def points_below(folder):
    return group_points(find_runs([folder]))


def curves_below(folder):
    points = points_below(folder)
    return draw_curves(points, swept_keys(points))


def trained(folder, number, *overrides, val=0.9, epochs=3, **ending):
    """Write a finished run whose metrics rise to ``val``."""
    write_run(folder / f"{number:02}", *overrides, ending=held_out(val) | ending)
    rising = [val * (epoch + 1) / epochs for epoch in range(epochs)]
    losses = [1 - value for value in rising]
    write_history(folder / f"{number:02}", val_accuracy=rising, val_loss=losses, train_loss=losses)


def diverged(folder, number, *overrides, values=()):
    ending = {"reason": "Training diverged in epoch 2", "diverged": True}
    write_run(folder / f"{number:02}", *overrides, ending=ending, name="failure.json")
    if values:
        write_history(folder / f"{number:02}", val_accuracy=values, val_loss=values)


def lines_of_points(axes):
    """Return the lines of the points: those that are not drawn outside of the axes."""
    return [line for line in axes.lines if line.get_transform() == axes.transData]


def text_of(figure):
    return " ".join(
        text.get_text() for text in figure.findobj(lambda one: hasattr(one, "get_text"))
    )


def test_a_line_is_the_mean_and_the_band_the_smallest_to_the_largest_value(tmp_path):
    for number, val in enumerate((0.6, 0.9)):
        trained(tmp_path, number, f"seed={number}", val=val)
    figure = curves_below(tmp_path)
    accuracy, loss = figure.axes
    assert (accuracy.get_ylabel(), loss.get_ylabel()) == ("val/accuracy", "val/loss")
    assert loss.get_xlabel() == "epoch"
    mean = lines_of_points(accuracy)[0].get_ydata()
    assert list(mean) == pytest.approx([0.25, 0.5, 0.75])
    corners = accuracy.collections[0].get_paths()[0].get_extents()
    assert (corners.ymin, corners.ymax) == pytest.approx((0.2, 0.9))
    assert "smallest to largest" in text_of(figure)
    assert "0.75" in text_of(figure)


def test_after_a_repeat_has_stopped_the_others_are_thin_lines(tmp_path):
    for number, epochs in enumerate((3, 5)):
        trained(tmp_path, number, f"seed={number}", epochs=epochs)
    (point,) = points_below(tmp_path)
    traces = traces_of(point, "val/accuracy")
    band = band_of(traces)
    assert band.epochs == (1, 2, 3)
    assert outside_band(traces[0], band) == ()
    assert [epoch for epoch, _ in outside_band(traces[1], band)] == [3, 4, 5]


def test_twelve_points_differ_by_colour_or_dash_and_are_named_without_overlap(tmp_path):
    for number in range(12):
        trained(tmp_path, number, f"optim.lr={number + 1}", val=0.9 + number / 1e6)
    axes = curves_below(tmp_path).axes[0]
    assert len({str(line_look(number)) for number in range(12)}) == 12
    looks = {(line.get_color(), line.get_linestyle()) for line in lines_of_points(axes)}
    assert len(looks) == 12
    texts = sorted(axes.texts, key=lambda text: text.get_position()[1])
    assert {text.get_text() for text in texts} == {f"lr={number + 1}" for number in range(12)}
    low, high = axes.get_ylim()
    shares = [(text.get_position()[1] - low) / (high - low) for text in texts]
    gaps = [after - before for before, after in pairwise(shares)]
    assert min(gaps) > 0.05


def test_of_more_than_twelve_points_the_best_are_coloured_and_the_others_grey(tmp_path):
    for number in range(14):
        trained(tmp_path, number, f"optim.lr={number + 1}", val=0.5 + number / 100)
    axes = curves_below(tmp_path).axes[0]
    assert {text.get_text() for text in axes.texts} == {f"lr={n}" for n in range(7, 15)}
    assert sum(line.get_color() == BACKGROUND for line in lines_of_points(axes)) == 6


def test_a_cross_marks_where_training_diverged(tmp_path):
    trained(tmp_path, 0, "optim.lr=0.1")
    diverged(tmp_path, 1, "optim.lr=1", values=[0.3, 0.2])
    diverged(tmp_path, 2, "optim.lr=9")
    figure = curves_below(tmp_path)
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert [list(cross.get_xydata()[0]) for cross in crosses] == [[2, 0.2]]
    assert "lr=1: x diverged" in text_of(figure)
    assert "without a line: lr=9" in text_of(figure)


def test_the_training_part_is_drawn_for_few_points(tmp_path):
    for number in range(4):
        trained(tmp_path / "few" if number < 2 else tmp_path / "more", number, f"optim.lr={number}")
        trained(tmp_path / "more", number, f"optim.lr={number}") if number < 2 else None
    dotted = [
        sum(line.get_linewidth() == 1.0 for line in curves_below(tmp_path / name).axes[1].lines)
        for name in ("few", "more")
    ]
    assert dotted == [2, 0]


def test_the_folds_of_a_cross_validation_are_repeats(tmp_path):
    write_run(tmp_path / "cv", ending=crossed([0.8, 0.9], [0.8, 0.9]))
    for number in range(2):
        write_history(tmp_path / f"cv/fold{number}", val_accuracy=[0.1, 0.8 + number / 10])
    (point,) = points_below(tmp_path)
    traces = traces_of(point, "val/accuracy")
    assert [trace.name for trace in traces] == ["seed 0 fold0", "seed 0 fold1"]
    assert band_of(traces).mean == pytest.approx((0.1, 0.85))


def test_a_history_ends_at_a_damaged_line_and_skips_undefined_values(tmp_path):
    write_run(tmp_path / "a", ending=held_out(0.9))
    write_history(tmp_path / "a", val_accuracy=[0.1, None, float("nan"), 0.4])
    with open(tmp_path / "a/history.jsonl", "a") as file:
        file.write('{"epoch": 5, "val/accu')
    (point,) = points_below(tmp_path)
    assert traces_of(point, "val/accuracy")[0].values == ((1, 0.1), (4, 0.4))
    assert read_history(tmp_path / "absent") == []


def test_runs_without_a_history_have_no_curves(tmp_path):
    for number in range(2):
        write_run(tmp_path / str(number), f"optim.lr={number}", ending=held_out(0.9))
    assert curves_below(tmp_path) is None


def test_names_with_odd_characters_are_drawn_as_they_are(tmp_path):
    names = ["$x_1$ <b>", "_hidden", "\U0001f600 cat"]
    for number, name in enumerate(names):
        trained(tmp_path, number, f"data.file={name}", val=0.9 - number / 10)
    text = text_of(curves_below(tmp_path))
    assert "file=$x_1$ <b>" in text
    assert "file=_hidden" in text


def test_a_sweep_over_seeds_alone_leaves_curves_as_png_and_svg(tmp_path):
    for number in range(2):
        trained(tmp_path, number, f"seed={number}")
    printed = []
    write_report([tmp_path], tmp_path, say=printed.append)
    assert {path.name for path in tmp_path.glob("curves.*")} == {"curves.png", "curves.svg"}
    assert "curves" in printed[-1]
