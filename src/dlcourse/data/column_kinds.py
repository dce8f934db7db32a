"""Find out which kind each column of a table is: numbers, dates, words for true, or text."""

from collections.abc import Callable, Sequence

from dlcourse.data.cells import (
    NUMERIC,
    OTHER_DATE,
    cell_text,
    date_of,
    is_number,
    missing_among,
    numbers_in_cells,
)
from dlcourse.data.encoding import Column, Encoding, not_a_date, not_a_number, truth_words
from dlcourse.data.table import Table
from dlcourse.data.table_options import TableOptions
from dlcourse.errors import UserError, nearest, shown

MOSTLY = 0.5  # the share of a column's cells from which numbers make the others mistakes


def learn_encoding(
    table: Table, train: Sequence[int], names: Sequence[str], options: TableOptions
) -> Encoding:
    """Return how the columns ``names`` become features.

    The kind of a column is seen in all rows; the values of text columns are those of the rows
    ``train``, so that nothing of the test part is learned.

    Raises UserError for a column that is mostly numbers or dates, with the first other cell, and
    for text that has too many values.
    """
    refuse_unknown_names(names, options)
    shared = (options.missing, options.words, options.targets)
    empty = Encoding((), *shared)
    columns = [learn_column(table, train, name, options, empty) for name in names]
    encoding = Encoding(tuple(columns), *shared)
    if not encoding.features:
        raise UserError(
            f"{shown(table.path)}: no column becomes a feature with data.date_parts=[].\n"
            "Type 'data.date_parts=[days,month,weekday]'"
        )
    return encoding


def refuse_unknown_names(names: Sequence[str], options: TableOptions) -> None:
    """Raise UserError if an option for a column names one that is no feature."""
    for key, columns in (("one_hot", options.one_hot), ("ordinal", tuple(options.ordinal))):
        for name in columns:
            if name not in names:
                raise UserError(
                    f"data.{key}: {name} is not a feature; {nearest(name, names)}.\n"
                    f"Type data.{key} with the name of a feature"
                )
            if name in options.one_hot and name in options.ordinal:
                raise UserError(
                    f"{name} is in data.one_hot and in data.ordinal.\nType it in one of the two"
                )


def learn_column(
    table: Table, train: Sequence[int], name: str, options: TableOptions, empty: Encoding
) -> Column:
    """Return a column with its kind and values. empty: has the words for missing cells."""
    cells = table.cells(name)
    gaps = missing_among(cells, empty.words)
    present = [row for row, cell in enumerate(cells) if cell not in gaps]
    if not present:
        raise UserError(
            f"{shown(table.path)}, column {name}: every cell is missing.\n"
            f"Type 'data.exclude=[{name}]' to leave it out"
        )
    if name in options.ordinal:
        return ordered_column(table, present, name, options.ordinal[name])
    if name in options.one_hot:
        return Column(name, "one_hot", in_order(values_in(cells, gaps, train)))
    if numbers_in_cells(cells, gaps, table.decimal) is not None:
        return Column(name, "number")
    distinct = {cells[row] for row in present}
    if truth := truth_words(list(distinct)):
        return Column(name, "boolean", truth)
    for style in filter(None, (options.date_format, "iso")):
        style = "" if style == "iso" else style
        if all(date_of(cell, style) for cell in distinct):
            return Column(name, "date", parts=tuple(options.date_parts), style=style)
    refuse_mixed(table, present, name, options)
    return text_column(table, present, name, values_in(cells, gaps, train), options)


def values_in(cells: Sequence[str], gaps: set[str], rows: Sequence[int]) -> set[str]:
    """Return the different texts in some rows of a column. gaps: the texts that are missing."""
    return {cell_text(cell) for cell in {cells[row] for row in rows} - gaps}


def refuse_mixed(table: Table, present: Sequence[int], name: str, options: TableOptions) -> None:
    """Raise UserError if at least half of the cells are, or look like, numbers or dates."""
    cells = table.cells(name)

    def share(kind: Callable[[str], object]) -> float:
        return sum(bool(kind(cells[row])) for row in present) / len(present)

    def first_other(kind: Callable[[str], object]) -> int:
        return next(row for row in present if not kind(cells[row]))

    def a_number(cell: str) -> bool:
        return is_number(cell, table.decimal)

    for style in ("", options.date_format or ""):

        def a_date(cell: str, style: str = style) -> bool:
            return date_of(cell, style) is not None

        if share(a_date) >= MOSTLY:
            row = first_other(a_date)
            column = Column(name, "date", style=style)
            raise UserError(not_a_date(table, row, column, cells[row]))
    if share(NUMERIC.fullmatch) >= MOSTLY or share(OTHER_DATE.fullmatch) >= MOSTLY:
        row = first_other(a_number)
        raise UserError(not_a_number(table, row, name, cells[row]))


def text_column(
    table: Table, present: Sequence[int], name: str, seen: set[str], options: TableOptions
) -> Column:
    """Return a column of text as ``data.text`` says. seen: its values in the training rows."""
    if options.text == "refuse":
        row = present[0]
        raise UserError(
            f"{table.place(row, name)}: {shown(table.cells(name)[row])!r} is not a number.\n"
            f"Type data.text=one_hot, or 'data.exclude=[{name}]' to leave out the column"
        )
    if options.text == "ordinal":
        return Column(name, "ordinal", in_order(seen))
    if len(seen) > options.most_values:
        raise UserError(
            f"{shown(table.path)}, column {name}: there are {len(seen):,} different texts, and at "
            f"most {options.most_values} (data.most_values) become features.\n"
            f"Type 'data.exclude=[{name}]' to leave out the column, data.id={name} if it names the "
            f"rows, or data.most_values={len(seen)}"
        )
    return Column(name, "one_hot", in_order(seen))


def ordered_column(table: Table, present: Sequence[int], name: str, order: Sequence[str]) -> Column:
    """Return a column whose values are numbered in the order of ``data.ordinal``."""
    cells = table.cells(name)
    for row in present:
        if cell_text(cells[row]) not in order:
            raise UserError(
                f"{table.place(row, name)}: {shown(cells[row])!r} is not in data.ordinal: "
                f"{', '.join(order)}.\nCorrect the cell, or add it there"
            )
    return Column(name, "ordinal", tuple(order))


def in_order(values: set[str]) -> tuple[str, ...]:
    """Return texts in alphabetical order, and numbers in numeric order."""
    return tuple(sorted(values, key=float if all(map(is_number, values)) else None))
