"""The text below a table: the best point, the test of its lead, and runs without a result."""

import math
import shlex
from collections.abc import Sequence
from pathlib import Path

from dlcourse.report.confidence import PairedTest, paired_t_test
from dlcourse.report.formatting import number_text, point_text
from dlcourse.report.nested import nest, nested_text
from dlcourse.report.points import Point, column_keys, overlap
from dlcourse.report.ranking import by_data, signed
from dlcourse.report.runs import RunStatus, StoredRun
from dlcourse.schema.comparable import data_of, differing, loss_of, overrides_text
from dlcourse.terminal.command import current_command, own_name
from dlcourse.terminal.installed import short_path

SIGNIFICANCE_LEVEL = 0.05
MAX_DATA_SETS = 10  # data sets of which the best is named


def conclusions(ranked: list[Point], several: bool) -> str:
    """Return the text on the best points, the test of their lead, and nested cross-validation.

    several: whether there is another table, with another measure.
    """
    parts = by_data(ranked)
    texts = []
    if several and (loss := loss_of(ranked[0].values)):
        measure = overrides_text(loss, [key for key, _ in loss])
        texts.append(f"{ranked[0].monitor} of {measure}; other losses have no common scale with it")
    if len(parts) > 1:
        differ = differing([data_of(part[0].values) for part in parts])
        names = ", ".join(key.removesuffix("._target_") for key in differ)
        texts.append(
            f"Values on different data ({names}) cannot be compared: "
            "ranks are among the points on the same data"
        )
    compared = [part for part in parts if len(part) > 1 or len(parts) == 1]
    for part in compared[:MAX_DATA_SETS]:
        where = f"On {data_words(part[0], parts)}: " if len(parts) > 1 else ""
        texts.append(f"{where}{verdict(part, column_keys(part))}")
    if len(compared) > MAX_DATA_SETS:
        texts.append(
            f"{len(compared) - MAX_DATA_SETS} more data sets: their ranks are in the table"
        )
    return "\n".join(texts)


def data_words(point: Point, parts: list[list[Point]]) -> str:
    """Return the data options of a point that differ between the parts, ``data=mnist``."""
    data = data_of(point.values)
    return overrides_text(data, differing([data_of(part[0].values) for part in parts]))


def verdict(ranked: list[Point], keys: list[str]) -> str:
    """Return the text on points on the same data: the best one, and the test of its lead."""
    names = list(dict.fromkeys(short_path(run.folder) for run in ranked[0].runs))
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    texts = [f"The best by {ranked[0].monitor} is in {names[0]}{more}"]
    if pair := best_two(ranked):
        texts.append(comparison_text(*pair, keys, len(ranked)))
    if found := nest(ranked):
        texts.append(nested_text(found, keys, len(ranked)))
    return "\n".join(texts)


def best_two(ranked: list[Point]) -> tuple[Point, Point] | None:
    """Return the first two complete points with different runs, or None."""
    complete = [point for point in ranked if point.complete and math.isfinite(point.val.mean)]
    for other in complete[1:]:
        if folders(other) != folders(complete[0]):
            return complete[0], other
    return None


def folders(point: Point) -> set:
    """Return the folders of a point's runs."""
    return {run.folder for run in point.runs}


def compare(first: Point, second: Point) -> PairedTest:
    """Test the difference of two points on their common repeats; above 0 the first is better."""
    others = {repeat.pair: repeat for repeat in second.repeats}
    pairs = [(repeat, others[repeat.pair]) for repeat in first.repeats if repeat.pair in others]
    gains = [signed(first, b.val) - signed(first, a.val) for a, b in pairs]
    return paired_t_test(gains, overlap([a for a, _ in pairs]))


def comparison_text(first: Point, second: Point, keys: list[str], many: int) -> str:
    """Return the text of the paired comparison of the two best points.

    many: the number of points that were ranked.
    """
    test = compare(first, second)
    names = point_text(first, keys), point_text(second, keys)
    if not test.n:
        return f"{names[0]} and {names[1]} have no seed or fold in common to be compared on."
    verb = "is level with"
    if test.difference:
        verb = "beats" if test.difference > 0 else "trails, on what they have in common,"
    gap = f" by {number_text(abs(test.difference))}" if test.difference else ""
    text = f"{names[0]} {verb} {names[1]}{gap} in {first.monitor} ({test_text(first, test)})"
    if test.p is None:
        return f"{text}."
    verdict = "significant" if test.p < SIGNIFICANCE_LEVEL else "not significant"
    text += f": {verdict} at the {100 * SIGNIFICANCE_LEVEL:g} % level."
    if many > 2:
        text += (
            f"\np does not account for picking these two out of {many}: "
            "repeat the two alone with new seeds to be sure."
        )
    return text


def test_text(point: Point, test: PairedTest) -> str:
    """Return the text on the test and its p-value, or why there is none."""
    folds = any(repeat.fold != "." or repeat.outer is not None for repeat in point.repeats)
    kind = "fold" if folds else "seed"
    over = f"{test.n} {kind}{'s' if test.n > 1 else ''}"
    if test.n < 2:
        return f"over {over}: too few for a test; type seeds=5"
    if test.p is None:
        return f"over {over}, the same difference in each: no variance, so no test"
    corrected = ", corrected for overlapping training parts" if folds else ""
    return f"paired t-test over {over}{corrected}: t = {test.t:.2f}, p = {test.p:.2g}"


def nothing_finished_text(folders: Sequence[Path], runs: Sequence[StoredRun]) -> str:
    """Return the message for folders of which no run is finished: their states, and what to type.

    runs: those in the folders.
    """
    here = ", ".join(map(short_path, folders))
    once = list({run.folder: run for run in runs}.values())
    if not once:
        command = own_name(current_command())
        return f"There is no run in {here}.\nType {command} <folder of a run or a sweep>"
    open_ones = [run for run in once if run.status in (RunStatus.UNFINISHED, RunStatus.NOT_STARTED)]
    first = next(iter([*open_ones, *once]))
    whole = first.point[0] if first.point else first.folder
    resume = f"Type {own_name()} resume={shlex.quote(short_path(whole))} to resume it"
    if len(once) == 1 and first.status == RunStatus.UNFINISHED:
        return f"The run {short_path(first.folder)} is not finished: it has no result.\n{resume}"
    none = "The run in" if len(once) == 1 else f"None of the {len(once)} runs in"
    verb = "is not finished" if len(once) == 1 else "is finished"
    return f"{none} {here} {verb}.\n{unfinished_text(once)}\n{resume}"


MAX_LISTED_RUNS = 10
"""The number of pruned, unfinished or not started runs that are named; failed ones all are."""


def unfinished_text(runs: Sequence[StoredRun]) -> str:
    """Return the lines of runs that failed, were pruned, are not finished or not started."""
    once = list({run.folder: run for run in runs}.values())
    lines = [
        f"failed: {short_path(run.folder)}: {run.reason}"
        for run in once
        if run.status == RunStatus.FAILED
    ]
    for status in (RunStatus.PRUNED, RunStatus.UNFINISHED, RunStatus.NOT_STARTED):
        some = [run for run in once if run.status == status]
        lines += [
            f"{status}: {short_path(run.folder)}{f' {run.reason}' if run.reason else ''}"
            for run in some[:MAX_LISTED_RUNS]
        ]
        if len(some) > MAX_LISTED_RUNS:
            lines.append(f"{status}: {len(some) - MAX_LISTED_RUNS} more, {len(some)} in all")
    return "\n".join(lines)
