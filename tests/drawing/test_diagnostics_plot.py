"""The page of measurements is drawn for few, many and odd layers, and without measurements."""

import numpy as np
import pytest

from dlcourse.drawing.diagnostics import draw_diagnostics
from dlcourse.drawing.files import figure_bytes


@pytest.mark.parametrize("count", [0, 1, 5, 9, 60])
def test_any_number_of_layers_is_drawn_with_the_first_and_the_last_named(count):
    names = [f"layer_{number}" for number in range(count)]
    table = np.linspace(0.1, 1, count * 3).reshape(count, 3)
    series = dict.fromkeys(("gradient", "update", "mean", "spread", "dead"), table)
    figure = draw_diagnostics(names, [0, 1, 2], series if count else {}, [2.0, 1.0], 1, "title")
    assert figure_bytes(figure).startswith(b"\x89PNG")
    texts = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    for name in names[:1] + names[-1:]:
        assert any(name in text for text in texts)


def test_missing_and_zero_values_and_odd_names_are_drawn():
    table = np.array([[np.nan, 0.0, 1.0], [np.nan, np.nan, np.nan]])
    names = ["$x_1$", "_hidden"]
    figure = draw_diagnostics(
        names, [0, 1, 2], {"gradient": table, "saturated": table}, [np.nan, 1.0], 2, "$title$"
    )
    assert figure_bytes(figure).startswith(b"\x89PNG")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert "share of saturated outputs" in titles
