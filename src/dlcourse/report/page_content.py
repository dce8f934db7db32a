"""The content of a report, gathered from the folders of its runs; how it looks is elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError
from dlcourse.report import page_facts, page_images
from dlcourse.report.conclusions import (
    MAX_DATA_SETS,
    conclusions,
    data_words,
    unfinished_text,
)
from dlcourse.report.confidence import estimate
from dlcourse.report.formatting import (
    NOTHING,
    interval,
    mean_and_deviation,
    number_text,
    point_text,
)
from dlcourse.report.nested import nest
from dlcourse.report.output_files import PLOT_NAMES
from dlcourse.report.page_chart import Charts, charts_of
from dlcourse.report.page_options import OptionRows, options_by_use
from dlcourse.report.page_question import plural, question_text, title_text
from dlcourse.report.points import Point, column_keys, group_points, split_keys
from dlcourse.report.ranking import by_data, by_measure, rank_by_data
from dlcourse.report.runs import StoredRun, files_named, find_runs
from dlcourse.report.table_rows import (
    MAX_ROWS,
    OPTIONS_COLUMN,
    column_names,
    ranking_rows,
    repeated,
    test_name,
)
from dlcourse.report.write_report import shown_keys
from dlcourse.schema.run_files import MANIFEST
from dlcourse.terminal.installed import short_path

MAX_RUNS_WITH_IMAGES = 12
MAX_WEIGHT_TABLES = 10


@dataclass(frozen=True)
class DataTable:
    """A table: the names of its columns, its rows, and how many columns on the left are text.

    last: the number of rows at the end that sum up the others.
    """

    title: str
    head: list[str]
    rows: list[list[str]]
    texts: int = 1
    last: int = 0
    note: str = ""


@dataclass(frozen=True)
class PageSection:
    """The answer, the ranking and the curves of points with the same measure."""

    title: str
    answer: list[str]
    tables: list[DataTable]
    charts: Charts | None


@dataclass(frozen=True)
class ImageGroup:
    """The images of a run or a sweep. main: whether they are shown at once or folded away."""

    name: str
    folder: Path
    images: list[page_images.PageImage]
    main: bool


@dataclass(frozen=True)
class PageContent:
    """All that a report says."""

    title: str
    question: str
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
        here = ", ".join(map(str, folders))
        left = unfinished_text(runs)
        raise UserError(f"{here} holds no finished run ({len(runs)} others).\n{left}".strip())
    ranked = [rank_by_data(group) for group in groups]
    sections = [section_of(group, part, ranked) for group, part in zip(groups, ranked, strict=True)]
    order = [run for part in ranked for point in part for run in by_value(point)]
    images, note = images_of(folders, order)
    return PageContent(
        title=title_text(points),
        question=question_text(points, column_keys(points)),
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


def by_value(point: Point) -> list[StoredRun]:
    """Return the finished runs of a point, the one with the best monitored metric first."""
    sign = -1 if point.mode == "max" else 1
    done = [run for run in point.runs if run.result]
    return sorted(done, key=lambda run: sign * (run.result or {})["best"])


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


def ranking_table(ranked: list[Point], keys: list[str]) -> DataTable:
    """Return the ranking, as ``dlcourse collect`` writes it."""
    own, shared = split_keys(ranked, keys)
    names = column_names(ranked, own, shared)
    texts = 1 + len(own) + (OPTIONS_COLUMN in names)
    note = "Ranked by the validation metric; the test metric has no say in it."
    if repeated(ranked):
        note += " sd: standard deviation."
    left = len(ranked) - MAX_ROWS
    more = f"{left} more: dlcourse collect writes all of them as CSV." if left > 0 else ""
    rows = ranking_rows(ranked, own, shared)
    return DataTable("Ranking", names, rows, texts, note=f"{note} {more}".strip())


def metric_tables(ranked: list[Point]) -> list[DataTable]:
    """Return the table of all metrics of the best run, and of its folds."""
    runs = by_value(ranked[0])
    result = runs[0].result if runs else None
    if result is None:
        return []
    which = "" if len(ranked) == 1 and len(runs) == 1 else f" of {short_path(runs[0].folder)}"
    if result.get("folds"):
        return [fold_table(result, which)]
    parts = {name: result.get(name) or {} for name in ("train", "val", "test")}
    heads = [name for name, part in parts.items() if part]
    names = list(dict.fromkeys(name for part in parts.values() for name in part))
    rows = [[n, *(metric_text(parts[head].get(n)) for head in heads)] for n in names]
    title = f"All metrics of epoch {result.get('best_epoch', '?')}{which}"
    metrics = [DataTable(title, ["metric", *heads], rows)] if rows else []
    return [*metrics, *weight_tables(result, which)]


def weight_tables(result: dict[str, Any], which: str) -> list[DataTable]:
    """Return the weights of a linear model by name, next to the true ones where they are known."""
    weights = result.get("weights")
    if not isinstance(weights, dict):
        return []
    true = weights.get("true")
    tables = []
    for number, output in enumerate(weights["outputs"]):
        names = [*weights["terms"], "bias"]
        learned = [*weights["w"][number], *some_bias(weights, number)]
        columns = [learned]
        if true:
            columns.append([*true["w"][number], *some_bias(true, number)])
        rows = [[name, *map(metric_text, row)] for name, *row in zip(names, *columns, strict=False)]
        title = f"Weights{f' of {output}' if len(weights['outputs']) > 1 else ''}{which}"
        tables.append(DataTable(title, ["term", "learned", *(["true"] if true else [])], rows))
    return tables[:MAX_WEIGHT_TABLES]


def some_bias(weights: dict[str, Any], output: int) -> list[float]:
    """Return the bias of an output in a list, which is empty for a model without one."""
    return [weights["b"][output]] if weights.get("b") else []


def fold_table(result: dict[str, Any], which: str) -> DataTable:
    """Return the metrics of every fold, with their mean and standard deviation."""
    folds = result["folds"]
    keys = [
        (part, name)
        for part in ("val", "test")
        for name in dict.fromkeys(name for fold in folds for name in fold.get(part) or {})
    ]
    columns = [[(fold.get(part) or {}).get(name) for fold in folds] for part, name in keys]
    epochs = [f"{fold.get('best_epoch', '?')} of {fold.get('epochs', '?')}" for fold in folds]
    rows = [
        [fold["name"], epoch, *(metric_text(column[number]) for column in columns)]
        for number, (fold, epoch) in enumerate(zip(folds, epochs, strict=True))
    ]
    spreads = [estimate([v for v in column if v is not None]) for column in columns]
    rows.append(["mean", "", *(number_text(one.mean) for one in spreads)])
    rows.append(["sd", "", *(number_text(one.std, one.mean) for one in spreads)])
    head = ["fold", "best epoch", *(f"{part}/{name}" for part, name in keys)]
    return DataTable(f"Folds{which}", head, rows, last=2)


def metric_text(value: float | None) -> str:
    """Return a metric for a table."""
    return NOTHING if value is None else number_text(value)


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


def images_of(folders: Sequence[Path], ranked: Sequence[StoredRun]) -> tuple[list[ImageGroup], str]:
    """Return the images of sweeps, of the best run and, folded away, of others; and a note.

    ranked: the finished runs, the best one first.
    """
    room = page_images.Room()
    groups = []
    for path in files_named(list(folders), MANIFEST):
        wanted = [path.with_name(f"{name}.png") for name in PLOT_NAMES if name != "curves"]
        files = [file for file in wanted if file.is_file()]
        name = short_path(path.parent)
        groups.append(image_group(path.parent, files, room, main=True, name=name))
    once = {run.folder.resolve(): run for run in ranked}.values()
    with_images = [run for run in once if has_images(run)]
    shown = with_images[:MAX_RUNS_WITH_IMAGES]
    for number, run in enumerate(shown):
        files = page_images.image_files(run.folder, without=("curves",))
        groups.append(
            image_group(run.folder, files, room, main=number == 0, name=short_path(run.folder))
        )
        for fold in folds_of_result(run):
            files = page_images.image_files(fold)
            groups.append(image_group(fold, files, room, main=False, name=short_path(fold)))
    left = len(with_images) - len(shown)
    note = f"The images of {plural(left, 'more run')} are in their folders." if left else ""
    return [group for group in groups if group.images], note


def has_images(run: StoredRun) -> bool:
    """Return whether a run, or one of its folds, has images for the page."""
    places = (run.folder, *folds_of_result(run))
    return any(page_images.image_files(place, without=("curves",)) for place in places)


def folds_of_result(run: StoredRun) -> list[Path]:
    """Return the folders of a finished run's folds; none without a cross-validation."""
    names = [str(fold["name"]) for fold in (run.result or {}).get("folds", ())]
    return [run.folder / name for name in names if Path(name).name == name]


def image_group(
    folder: Path, files: Sequence[Path], room: page_images.Room, *, main: bool, name: str
) -> ImageGroup:
    """Return the images in some files. main: the images are large, and shown at once."""
    widest = page_images.MAIN_WIDTH if main else page_images.FOLDED_WIDTH
    images = [
        page_images.embedded(path, page_images.caption_of(path, folder), name, room, widest)
        for path in files
    ]
    return ImageGroup(name, folder, images, main)
