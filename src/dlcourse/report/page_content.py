"""The content of a report, gathered from the folders of its runs; how it looks is elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.report import page_facts
from dlcourse.report.conclusions import (
    MAX_DATA_SETS,
    conclusions,
    data_words,
    nothing_finished_text,
    unfinished_text,
)
from dlcourse.report.formatting import (
    interval,
    mean_and_deviation,
    point_text,
)
from dlcourse.report.nested import nest
from dlcourse.report.page_chart import Charts, charts_of
from dlcourse.report.page_gallery import (
    MAX_RUNS_WITH_IMAGES,
    ImageGroup,
    folds_of_result,
    images_of,
)
from dlcourse.report.page_options import OptionRows, options_by_use
from dlcourse.report.page_question import question_text, title_text
from dlcourse.report.page_tables import DataTable, by_value, metric_tables, ranking_table
from dlcourse.report.points import Point, column_keys, group_points
from dlcourse.report.ranking import by_data, by_measure, rank_by_data
from dlcourse.report.runs import StoredRun, find_runs
from dlcourse.report.table_rows import (
    repeated,
    shared_labels,
    test_name,
)
from dlcourse.report.write_report import shown_keys
from dlcourse.terminal.installed import short_path


@dataclass(frozen=True)
class PageSection:
    """The answer, the ranking and the curves of points with the same measure."""

    title: str
    answer: list[str]
    tables: list[DataTable]
    charts: Charts | None


@dataclass(frozen=True)
class PageContent:
    """All that a report says."""

    title: str
    question: str
    labels: str
    sections: list[PageSection]
    commands: list[str]
    options: OptionRows
    several: bool
    images: list[ImageGroup]
    images_note: str
    diagnostics: list[tuple[str, list[str]]]
    problems: list[str]
    warnings: list[str]
    environment: list[list[str]]
    reproduce: list[tuple[str, str]] = field(default_factory=list)


def gather_content(folders: Sequence[Path]) -> PageContent:
    """Read everything that a report says from the folders of runs and sweeps.

    Raises UserError if no run is finished or a run's file is damaged.
    """
    runs = find_runs(list(folders))
    once = list({run.folder.resolve(): run for run in runs}.values())
    points = group_points(runs)
    groups = [group for group in by_measure(points) if rank_by_data(group)]
    if not groups:
        raise UserError(nothing_finished_text(folders, runs))
    ranked = [rank_by_data(group) for group in groups]
    sections = [section_of(group, part, ranked) for group, part in zip(groups, ranked, strict=True)]
    order = [run for part in ranked for point in part for run in by_value(point)]
    images, note = images_of(folders, order)
    return PageContent(
        title=title_text(points),
        question=question_text(points, column_keys(points)),
        labels=shared_labels(points),
        sections=sections,
        commands=commands_of(folders, once),
        options=options_by_use(once),
        several=len(once) > 1,
        images=images,
        images_note=note,
        diagnostics=diagnostics_of(order),
        problems=unfinished_text(runs).splitlines(),
        warnings=page_facts.warnings_of(once),
        environment=page_facts.environment_rows(once),
        reproduce=[(short_path(run.folder), guarded_command(run)) for run in once if run.result],
    )


def section_of(group: list[Point], ranked: list[Point], parts: list[list[Point]]) -> PageSection:
    """Return the section on points with the same measure.

    group: with those that have no finished run. parts: the ranked points of all sections.
    """
    keys = shown_keys(ranked, parts)
    unranked = [point for point in group if not point.repeats]
    charts = charts_of([*ranked, *unranked], column_keys(group))
    tables = [ranking_table(ranked, keys)] if len(ranked) > 1 or repeated(ranked) else []
    tables += metric_tables(ranked)
    return PageSection(ranked[0].monitor, answer_of(group, ranked, len(parts) > 1), tables, charts)


def answer_of(group: list[Point], ranked: list[Point], several: bool) -> list[str]:
    """Return the answer in sentences: the best point with its interval, and the test of its lead.

    group: the points, ranked or without a finished run. several: whether there is another section,
    with another measure.
    """
    parts = by_data(ranked)
    sentences = []
    for part in parts[:MAX_DATA_SETS]:
        where = f"On {data_words(part[0], parts)}: " if len(parts) > 1 else ""
        lost = len(group) - len(ranked) if len(parts) == 1 else 0
        text = best_text(part, lost)
        sentences.append(f"{where}{text[0].lower()}{text[1:]}" if where else text)
    if len(ranked) == 1 and nest(ranked) is None:
        return sentences
    more = conclusions(ranked, several).splitlines()
    return [*sentences, *(line if line.endswith((".", ":")) else f"{line}." for line in more)]


def best_text(ranked: list[Point], lost: int) -> str:
    """Return the sentence on the best point: its validation value and its test value.

    lost: the number of points without a finished run.
    """
    best = ranked[0]
    keys = column_keys(ranked)
    name = point_text(best, keys)
    few = f" ({lost} more have no finished run)" if lost else ""
    subject = (
        f"The best of {len(ranked)} points{few} is {name}" if len(ranked) > 1 else "The result"
    )
    spread = best.val
    value = f"{best.monitor} {mean_and_deviation(spread)}"
    if spread.std is not None:
        kind = "95 % interval" if spread.low is not None else "values"
        value += f" (mean ± standard deviation over {spread.n} repeats; {kind} {interval(spread)})"
    elif (result := best.runs[0].result) and "best_epoch" in result:
        value += f" in epoch {result['best_epoch']} of {result['epochs']}"
    tested = f", {test_name(best.monitor)} {mean_and_deviation(best.test)}" if best.test else ""
    return f"{subject}: {value}{tested}."


def diagnostics_of(ranked: Sequence[StoredRun]) -> list[tuple[str, list[str]]]:
    """Return the name of each run or fold with diagnostics, and what they say in words."""
    folders = [folder for run in ranked for folder in (run.folder, *folds_of_result(run))]
    once = list({folder.resolve(): folder for folder in folders}.values())
    found = [(short_path(folder), page_facts.findings_in(folder)) for folder in once]
    return [(name, sentences) for name, sentences in found if sentences][:MAX_RUNS_WITH_IMAGES]


def commands_of(folders: Sequence[Path], runs: Sequence[StoredRun]) -> list[str]:
    """Return the commands that made the runs: of sweeps, and of runs outside of them."""
    commands = page_facts.sweep_commands(folders)
    alone = [run for run in runs if run.point is None]
    return [*commands, *dict.fromkeys(filter(None, map(guarded_command, alone)))]


def guarded_command(run: StoredRun) -> str:
    """Return the command of a run, or why it cannot be shown, as a comment of the shell."""
    error = page_facts.overrides_error(run)
    return f"# {error}" if error else page_facts.run_command_text(run)
