"""The best two points held against each other, pair by pair."""

import math

from dlcourse.report.points import Point, overlap
from dlcourse.report.ranking import signed
from dlcourse.report.statistics import Paired, paired
from dlcourse.report.written import figure, words

CHANCE = 0.05


def best_two(ranked: list[Point]) -> tuple[Point, Point] | None:
    """Return the first two complete points that are not the same runs, or None."""
    complete = [point for point in ranked if point.complete and math.isfinite(point.val.mean)]
    for other in complete[1:]:
        if folders(other) != folders(complete[0]):
            return complete[0], other
    return None


def folders(point: Point) -> set:
    """Return the folders of a point's runs."""
    return {run.folder for run in point.runs}


def compare(first: Point, second: Point) -> Paired:
    """Test the differences of two points' common repeats, positive where the first is better."""
    others = {repeat.pair: repeat for repeat in second.repeats}
    pairs = [(repeat, others[repeat.pair]) for repeat in first.repeats if repeat.pair in others]
    gains = [signed(first, b.val) - signed(first, a.val) for a, b in pairs]
    return paired(gains, overlap([a for a, _ in pairs]))


def tell(first: Point, second: Point, keys: list[str], many: int) -> str:
    """Say by how much the first point is ahead, and whether chance explains it.

    many: among how many points the two are the best.
    """
    test = compare(first, second)
    names = words(first, keys), words(second, keys)
    if not test.n:
        return f"{names[0]} and {names[1]} have no seed or fold in common to be compared on."
    verb = "is level with"
    if test.difference:
        verb = "beats" if test.difference > 0 else "trails, on what they have in common,"
    gap = f" by {figure(abs(test.difference))}" if test.difference else ""
    text = f"{names[0]} {verb} {names[1]}{gap} in {first.monitor} ({told_test(first, test)})"
    if test.p is None:
        return f"{text}."
    verdict = "more than" if test.p < CHANCE else "no more than"
    text += f": {verdict} chance explains at {100 * CHANCE:g} %."
    if many > 2:
        text += (
            f"\np does not account for picking these two out of {many}: "
            "repeat the two alone with new seeds to be sure."
        )
    return text


def told_test(point: Point, test: Paired) -> str:
    """Say which test was made over what, or why none could be made."""
    folds = any(repeat.fold != "." or repeat.outer is not None for repeat in point.repeats)
    kind = "fold" if folds else "seed"
    over = f"{test.n} {kind}{'s' if test.n > 1 else ''}"
    if test.n < 2:
        return f"over {over}: too few for a test; type seeds=5"
    if test.p is None:
        return f"over {over}, the same difference in each: no spread to test it by"
    corrected = ", corrected for overlapping training parts" if folds else ""
    return f"paired t-test over {over}{corrected}: t = {test.t:.2f}, p = {test.p:.2g}"
