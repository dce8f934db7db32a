"""List the columns of a user's own table: their kind, their features, and missing cells."""

from datetime import timedelta
from typing import TYPE_CHECKING

from rich.table import Table

from dlcourse.data.cells import EPOCH
from dlcourse.errors import shown

if TYPE_CHECKING:
    import numpy as np

    from dlcourse.core import Dataset
    from dlcourse.data.encoding import Column

MOST_VALUES = 8  # values of a column that are listed


def columns_table(dataset: "Dataset") -> Table:
    """Return a table with a row for each column of the data set's table, then the target.

    Numbers of missing cells and ranges are those of the training rows, the validation part
    included.
    """
    table = Table("column", "kind", "features", "missing", "values")
    features = dataset.train.inputs.double().numpy()  # (N, D)
    for column, place in dataset.encoding.slices():
        own = features[:, place]
        gaps = int((own != own).any(1).sum())  # NaN
        table.add_row(
            shown(column.name), column.kind, str(len(column.features)), f"{gaps:,}" if gaps else "",
            range_or_values(column, own),
        )  # fmt: skip
    names = dataset.classes or dataset.target_names
    kind = {"classification": "classes", "regression": "values"}.get(dataset.task, dataset.task)
    targets = ", ".join(dataset.encoding.targets)
    table.add_section()
    listed = names_text(names) if dataset.classes else ""
    table.add_row(shown(targets), f"target: {kind}", "", "", listed)
    return table


def range_or_values(column: "Column", features: "np.ndarray") -> str:
    """Return the values of a column: a range, or a list. features: of its training rows (N, d)."""
    if column.values:
        return names_text(column.values)
    if column.kind == "date" and "days" not in column.parts:
        return ""
    place = column.parts.index("days") if column.kind == "date" else 0
    known = features[:, place][features[:, place] == features[:, place]]
    if not len(known):
        return ""
    ends = float(known.min()), float(known.max())
    if column.kind == "date":
        first, last = ((EPOCH + timedelta(days=end)).strftime("%Y-%m-%d") for end in ends)
        return f"{first} to {last}"
    return f"{ends[0]:.6g} to {ends[1]:.6g}"


def names_text(names: tuple[str, ...]) -> str:
    """Return names as text, at most eight of them."""
    more = f" and {len(names) - MOST_VALUES} more" if len(names) > MOST_VALUES else ""
    return ", ".join(map(shown, names[:MOST_VALUES])) + more
