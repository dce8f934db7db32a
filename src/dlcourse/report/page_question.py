"""The title and the question of a report, generated from what differs between its runs."""

from collections.abc import Sequence

from dlcourse.report.formatting import option_text
from dlcourse.report.points import MAIN, Point
from dlcourse.report.ranking import by_data
from dlcourse.schema.comparable import data_of, differing

GROUPS_IN_QUESTION = ("model", "optim", "data")
MAX_KEYS_NAMED = 3
LONGEST_VALUE = 60


def title_text(points: Sequence[Point]) -> str:
    """Return the title: models, data and optimizers, ``mlp, lenet on digits``."""
    names = {key: choices_text(points, key) for key in GROUPS_IN_QUESTION}
    return f"{names['model'] or 'runs'} on {names['data'] or 'own data'}"


def choices_text(points: Sequence[Point], key: str) -> str:
    """Return the choices of a group, at most three of them."""
    some = list(dict.fromkeys(one_line(option_text(p, key)) for p in points if key in p.values))
    more = f" and {len(some) - 3} more" if len(some) > 3 else ""
    return ", ".join(some[:3]) + more


def question_text(points: Sequence[Point], keys: Sequence[str]) -> str:
    """Return the question that the runs answer, and how many runs there are.

    points: finished or not. keys: those in which they differ.
    """
    return f"{asked_text(points, keys)} {counts_text(points)}"


def asked_text(points: Sequence[Point], keys: Sequence[str]) -> str:
    """Return the question, ``Which optim is best for model=lenet on data=digits?``."""
    first = points[0]
    fixed = {
        key: f"{key}={one_line(option_text(first, key))}"
        for key in GROUPS_IN_QUESTION
        if key in first.values and key not in keys
    }
    data = f" on {fixed['data']}" if "data" in fixed else ""
    if "data" in keys:
        data = f" on each of data={choices_text(points, 'data')}"
    others = [key for key in keys if key != "data"]
    sets = by_data(list(points))
    if len(sets) > 1:  # values on different data are not compared
        apart = differing([data_of(part[0].values) for part in sets])
        others = [key for key in others if key not in apart]
        data = data if "data" in keys else f" on each of {len(sets)} data sets"
    trained = " with ".join(text for key, text in fixed.items() if key != "data")
    if len(points) == 1 or not others:
        return f"How well does {trained or 'this configuration'} do{data}?"
    if len(others) == 1:
        what = f"Which {others[0]} is best"
    elif len(others) <= MAX_KEYS_NAMED:
        what = f"Which combination of {', '.join(others[:-1])} and {others[-1]} is best"
    else:
        named = ", ".join(sorted(others, key=lambda key: key not in MAIN)[:MAX_KEYS_NAMED])
        more = plural(len(others) - MAX_KEYS_NAMED, "more option")
        what = f"Which combination of {named} and {more} is best"
    return f"{what}{f' for {trained}' if trained else ''}{data}?"


def counts_text(points: Sequence[Point]) -> str:
    """Return the numbers of points, repeats and runs, ``12 points, 3 seeds each: 36 runs.``."""
    runs = len({run.folder for point in points for run in point.runs})
    folds = {len(run.result.get("folds", ())) for p in points for run in p.runs if run.result}
    crossed = len(folds) == 1 and max(folds) > 1
    repeats = {len(point.runs) for point in points}
    parts = [plural(len(points), "point")] if len(points) > 1 else []
    each = " each" if len(points) > 1 else ""
    if repeats != {1}:
        low, high = min(repeats), max(repeats)
        parts.append(f"{low if low == high else f'{low} to {high}'} seeds{each}")
    if crossed:
        parts.append(f"{max(folds)} folds each" if runs > 1 else f"{max(folds)} folds")
    text = plural(runs, "run")
    return f"{', '.join(parts)}: {text}." if parts else f"{text}."


def plural(number: int, noun: str) -> str:
    """Return a number with its noun, ``1 run`` or ``12 runs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def one_line(text: str) -> str:
    """Return a text in one line, shortened."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_VALUE else f"{line[: LONGEST_VALUE - 1]}…"
