"""Class names are drawn literally: no formula, no hidden label, no box for a missing character."""

import io
import warnings
from warnings import catch_warnings, simplefilter

from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from dlcourse.drawing.confusion import draw_confusion
from dlcourse.drawing.per_class import draw_per_class
from dlcourse.drawing.precision_recall import draw_precision_recall
from dlcourse.drawing.text import (
    LITERAL,
    add_legend,
    class_labels,
    families_with,
    fonts_for,
    is_drawable,
    value_label,
)

AWKWARD = [
    "$", "$$", "$x^2$", "_background_", "__", "50 %", "a\\b", "a\\$b", "two\nlines", "\t",
    "x" * 300, "猫", "犬", "日本語の長い名前", "שלום", "हिन्दी", "ไทย", "😀", "é", "\udcff", "[red]",
    "<b>", "&amp;", " ", "",
]  # fmt: skip
"""Class names that matplotlib interprets, or has no characters for."""


def full(count):
    """Return the detailed metrics of ``count`` classes."""
    curve = {"recall": [0.5, 1.0], "precision": [0.5, 0.6]}
    shares = [0.5] * count
    per_class = dict.fromkeys(("precision", "recall", "f1"), shares) | {"support": [1] * count}
    areas = {"per_class": shares, "macro": 0.5, "curves": [curve] * count}
    return {"per_class": per_class, "average_precision": areas}


def written(figure):
    """Render a figure; a warning of matplotlib is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), format="png", dpi=20)
    return figure


def draw_all(names):
    count = len(names)
    table = [[1] * count for _ in range(count)]
    with fonts_for(names):
        return [
            written(draw_confusion(table, names)),
            written(draw_precision_recall(full(count), names)),
            written(draw_per_class(full(count)["per_class"], names)),
        ]


def test_awkward_class_names_are_drawn_without_a_warning():
    with catch_warnings(record=True) as caught:
        simplefilter("always")
        figures = draw_all(AWKWARD)
    assert [str(one.message) for one in caught] == []
    assert len(figures) == 3


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=2, max_size=4))
def test_any_class_names_are_drawn_without_a_warning(names):
    with fonts_for(names):
        labels, note = class_labels(names)
        figure = Figure(figsize=(1, 1), dpi=20)
        figure.text(0, 0, "".join([*labels, note, *map(value_label, names)]), **LITERAL)
        with catch_warnings(record=True) as caught:
            simplefilter("always")
            written(figure)
    assert [str(one.message) for one in caught] == []


def test_names_that_the_fonts_can_draw_are_drawn_unchanged():
    names = ["$", "$$", "$x^2$", "_background_", "50 %", "a\\$b"]
    confusion, curves, classes = draw_all(names)
    shown = confusion.axes[0].get_yticklabels()
    assert [text.get_text() for text in shown] == names
    assert not any(text.get_parse_math() for text in shown)
    legend = [text.get_text() for text in curves.legends[0].get_texts()]
    assert legend == [f"{name}  0.500" for name in names]
    rows = [text.get_text() for text in classes.axes[0].get_yticklabels()]
    assert rows == [f"{name}  (1)" for name in names]


def test_a_name_that_no_font_can_draw_is_replaced_by_its_class_number():
    letter = "\U000e0100"  # a variation selector: no font draws it alone
    labels, note = class_labels(["cat", f"{letter}"])
    assert labels == ["cat", "class 1"]
    assert "result.json" in note
    assert class_labels(["cat", "dog"]) == (["cat", "dog"], "")


def test_names_that_are_equal_when_shortened_are_numbered():
    labels, _ = class_labels(["a" * 20 + "b" + "a" * 20, "a" * 20 + "c" + "a" * 20, "dog"])
    assert len(set(labels)) == 3
    assert labels[0].startswith("0 ")


def test_every_installed_font_is_searched_for_a_character():
    letter = "\u2a74"  # only in matplotlib's fonts for formulas
    assert not is_drawable(letter)
    assert len(families_with({letter})) == 1
    with fonts_for([letter]):
        assert is_drawable(letter)


def test_a_legend_has_every_name():
    figure = Figure()
    axes = figure.add_subplot()
    entries = [(axes.plot([0, 1])[0], name) for name in ("_a", "$b$", "c")]
    legend = add_legend(figure, entries)
    assert [text.get_text() for text in legend.get_texts()] == ["_a", "$b$", "c"]
    assert len(axes.get_legend_handles_labels()[0]) == 2  # the control: matplotlib hides the first
