"""A data set from a table: rows, targets, and features that are numbers."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data.cells import is_missing, missing_among
from dlcourse.data.column_kinds import learn_encoding
from dlcourse.data.encoding import FILLS, Encoding, Unknown, encode, missing_cell
from dlcourse.data.lost_digits import loses_digits, report_lost_digits
from dlcourse.data.table import Table, refuse_unknown_column
from dlcourse.data.table_options import TableOptions
from dlcourse.data.table_targets import (
    names_of_rows,
    row_classes,
    row_groups,
    row_labels,
    row_weights,
    values_to_predict,
)
from dlcourse.data.test_split import split_off_test, split_off_test_groups
from dlcourse.errors import UserError, shown

log = logging.getLogger(__name__)


def table_dataset(
    table: Table,
    test_table: Table | None,
    options: TableOptions,
    seed: int,
    encoding: Encoding | None = None,
) -> Dataset:
    """Return the rows of a table as a data set: features (N, D), and classes or values as targets.

    Without ``test_table``, ``test_fraction`` of the rows becomes the test part: the same share of
    every class, and the same rows in every run. The classes are the distinct cells of the target
    column, in numeric order if all of them are numbers. Features are float32, or float64 if a
    column would lose digits.

    encoding: of the run that is evaluated on this table; None learns one from the training rows.

    Raises UserError, with the line and the column, for an invalid table or invalid options.
    """
    chosen = chosen_columns(table, options)
    if encoding is not None:
        chosen = [column.name for column in encoding.columns]
        for name in chosen:
            refuse_unknown_column(table, name, "data.file")
    table = kept_rows(table, chosen, options)
    tables = [table]
    if test_table is not None:
        for name in chosen:
            refuse_unknown_column(test_table, name, "data.test_file")
        tables.append(kept_rows(test_table, chosen, options))
    targets, classes = row_targets(tables, options)
    # the inputs are the numbers of the rows until it is known which of them are tested
    parts = [without_features(*one, options) for one in zip(tables, targets, strict=True)]
    groups = None if options.group is None else row_groups(table, options.group, options.targets)
    if test_table is None:
        *parts, groups = train_and_test(parts[0], groups, options, seed, stratified=bool(classes))
        tables = [table.take(row_numbers(part)) for part in parts]
    if encoding is None:
        encoding = learn_encoding(table, row_numbers(parts[0]), chosen, options)
    train, test = featured(tables, parts, encoding, options)
    report_digits(table, encoding, options, bool(classes), train.inputs.dtype)
    return Dataset(
        name=shown(table.path.stem),
        train=train,
        test=test,
        classes=classes,
        groups=groups,
        features=encoding.features,
        encoding=encoding,
        target_names=() if classes else options.targets,
    )


def chosen_columns(table: Table, options: TableOptions) -> list[str]:
    """Return the feature columns; raises UserError for none, a target, or one named twice."""
    named = (
        ("target", options.targets), ("exclude", options.exclude),
        ("features", options.features or ()),
        *((key, (getattr(options, key),)) for key in ("group", "weight", "id")),
    )  # fmt: skip
    for key, names in named:
        for name in names:
            if name is not None:
                refuse_unknown_column(table, name, f"data.{key}")
    refuse_wrong_targets(options)
    others = [name for name in table.header if name not in options.not_features]
    chosen = others if options.features is None else list(options.features)
    chosen = [name for name in chosen if name not in options.exclude]
    if not chosen:
        raise UserError(
            f"{shown(table.path)}: there is no column to predict {', '.join(options.targets)} "
            "from.\nType data.features=null for all other columns, or add columns to the table"
        )
    for name in options.targets:
        if name in chosen:
            raise UserError(
                f"data.features has {name}, which is the column to predict.\n"
                "Leave it out, or type another data.target"
            )
    twice = [name for name in chosen if chosen.count(name) > 1]
    if twice:
        raise UserError(f"data.features has {twice[0]} more than once.\nName it once")
    return chosen


def refuse_wrong_targets(options: TableOptions) -> None:
    """Raise UserError for no target, one named twice, and for classes in several columns."""
    targets = options.targets
    twice = [name for name in targets if targets.count(name) > 1]
    if twice:
        raise UserError(f"data.target has {twice[0]} more than once.\nName it once")
    if not targets:
        raise UserError(
            "data.target=[] names no column to predict.\nType data.target with the name of a column"
        )
    if options.task == "classification" and len(targets) > 1:
        raise UserError(
            f"data.target names {len(targets)} columns, and a classification predicts one.\n"
            "Type data.task=multilabel loss=bce if each column is a class that a row has or has "
            "not, data.task=regression if they are values, or a single data.target"
        )
    if options.task == "multilabel" and len(targets) < 2:
        raise UserError(
            f"data.task=multilabel needs a column for each class, got one, {', '.join(targets)}.\n"
            "Type 'data.target=[first,second]', or data.task=classification"
        )


def kept_rows(table: Table, chosen: Sequence[str], options: TableOptions) -> Table:
    """Return a table without the rows that ``data.missing`` leaves out; their number is reported.

    Rows with a missing target are left out unless ``data.missing=refuse``; rows with a missing
    feature with ``data.missing=drop``. A word such as NA in a target is a class with ``refuse``.

    Raises UserError for an empty target with ``refuse``, and if no row is left.
    """
    words = {word.casefold() for word in options.words}
    if options.missing == "refuse":
        for name in chosen:
            cells = table.cells(name)
            if gaps := missing_among(cells, words):
                row = next(row for row, cell in enumerate(cells) if cell in gaps)
                raise UserError(missing_cell(table, row, name))
        return table
    needed = [*options.targets, *(() if options.missing in FILLS else chosen)]
    dropped: Counter[str] = Counter()
    keep = []
    places = [(name, table.header.index(name)) for name in needed]
    for row, cells in enumerate(table.rows):
        missing = [name for name, place in places if is_missing(cells[place], words)]
        dropped.update(missing)
        if not missing:
            keep.append(row)
    if not dropped:
        return table
    columns = ", ".join(f"{name} {count:,}" for name, count in dropped.most_common())
    if not keep:
        raise UserError(
            f"{shown(table.path)}: every row has a missing cell: {columns}.\n"
            "Type data.missing=mean to fill them, or leave out columns with data.exclude"
        )
    log.warning(
        "%s: %s of %s rows are left out, because cells are missing: %s", shown(table.path),
        f"{len(table.rows) - len(keep):,}", f"{len(table.rows):,}", columns,
    )  # fmt: skip
    return table.take(keep)


def row_targets(
    tables: Sequence[Table], options: TableOptions
) -> tuple[list[Tensor], tuple[str, ...]]:
    """Return the targets of every table, and the names of the classes."""
    if options.task == "regression":
        return [values_to_predict(one, options.targets).contiguous() for one in tables], ()
    if options.task == "multilabel":
        return [row_labels(one, options.targets) for one in tables], options.targets
    words = {word.casefold() for word in options.words}
    test = tables[1] if len(tables) > 1 else None
    first, second, classes = row_classes(tables[0], options.targets[0], words, test)
    return [first, second][: len(tables)], classes


def without_features(table: Table, targets: Tensor, options: TableOptions) -> Split:
    """Return a table's targets, weights and names as a split whose inputs are the rows' numbers."""
    weight, name = (
        column if column in table.header else None  # a file of test rows need not have them
        for column in (options.weight, options.id)
    )
    return Split(
        torch.arange(len(targets))[:, None],
        targets,
        weights=None if weight is None else row_weights(table, weight),
        ids=names_of_rows(table, name),
    )


def row_numbers(part: Split) -> list[int]:
    """Return the numbers of the rows in a part of ``without_features``."""
    return part.inputs[:, 0].tolist()


def train_and_test(
    everything: Split,
    groups: Tensor | None,
    options: TableOptions,
    seed: int,
    *,
    stratified: bool,
) -> tuple[Split, Split, Tensor | None]:
    """Divide all rows into a training part and a test part; return both, and the train groups."""
    held = round(len(everything) * options.test_fraction)
    if not 0 < held < len(everything):
        raise UserError(
            f"data.test_fraction={options.test_fraction} of {len(everything)} rows leaves {held} "
            "to test on.\nType another fraction, or add rows"
        )
    if groups is not None:
        return split_off_test_groups(everything, groups, held, seed)
    return *split_off_test(everything, held, seed, classes=stratified), None


def featured(
    tables: Sequence[Table], parts: Sequence[Split], encoding: Encoding, options: TableOptions
) -> list[Split]:
    """Return the training part and the test part with features; unknown texts are reported."""
    known, unknown = Unknown(), Unknown()
    features = [
        encode(encoding, own, seen) for own, seen in zip(tables, (known, unknown), strict=True)
    ]
    if unknown.found:
        log.warning(
            "The test rows have texts that the training rows do not have, which count as none of "
            "the known ones: %s", unknown.text(),
        )  # fmt: skip
    wide = options.numbers == "auto" and any(map(loses_digits, features))
    kind = torch.float64 if wide else torch.float32
    return [
        replace(part, inputs=torch.from_numpy(own).to(kind))
        for part, own in zip(parts, features, strict=True)
    ]


def report_digits(
    table: Table, encoding: Encoding, options: TableOptions, classes: bool, kind: torch.dtype
) -> None:
    """Log warnings for columns that lose digits: features in their type, targets in float32."""
    numbers = [column.name for column in encoding.columns if column.kind == "number"]
    if kind == torch.float64 or options.numbers == "float32":
        report_lost_digits(table, numbers, 64 if kind == torch.float64 else 32)
    if not classes:
        report_lost_digits(table, options.targets, 32)
