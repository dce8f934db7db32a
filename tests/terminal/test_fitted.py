"""Tables and sentences that fit the terminal."""

import pytest

from dlcourse.terminal import fitted
from dlcourse.terminal.fitted import fitted_table, wrap_to_terminal

HEAD = ("layer", "kind", "variance of\ngradient", "mean")
ROWS = [
    ("features.0", "Conv2d", "3.55e-12", "-0.0683"),
    ("classifier.10", "Linear", "", "[b]0[/b]"),
]


@pytest.mark.parametrize("width", [24, 30, 40, 44, 60, 80, 120])
@pytest.mark.parametrize("title", ["", "he_normal"])
def test_a_table_is_never_wider_than_the_terminal_and_loses_no_needed_value(width, title):
    text = fitted_table(HEAD, ROWS, width, left=("layer", "kind"), optional=("kind",), title=title)
    assert max(map(len, text.splitlines()[:-1])) <= width
    for row in ROWS:
        assert all(cell in text for cell in row[:1] + row[2:])
    assert text.startswith(title)
    assert text.count("Left out on a narrow terminal: kind") == ("Conv2d" not in text)


def test_a_table_loses_its_lines_then_optional_columns_then_its_columns():
    def text(width):
        return fitted_table(HEAD, ROWS, width, left=("layer",), optional=("kind", "mean"))

    assert "┃ layer" in text(60)
    assert "┃" not in text(50)
    assert "Conv2d" in text(50)
    assert "mean" in text(40)
    assert "Conv2d" not in text(40)
    assert text(40).endswith("Left out on a narrow terminal: kind")
    assert text(20).splitlines() == [
        "features.0",
        "  kind Conv2d",
        "  variance of gradient",
        "  3.55e-12",
        "  mean -0.0683",
        "classifier.10",
        "  kind Linear",
        "  mean [b]0[/b]",
    ]


def test_a_sentence_is_wrapped_on_a_terminal_and_whole_in_a_file(monkeypatch):
    sentence = "The variance of the outputs is 0.29 at layer 1."
    assert wrap_to_terminal(sentence) == sentence
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr(fitted, "terminal_width", lambda: 25)
    assert wrap_to_terminal(sentence).splitlines() == [
        "The variance of the",
        "  outputs is 0.29 at",
        "  layer 1.",
    ]
