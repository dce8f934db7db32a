"""The options of a user's own table that do not depend on the format of its file."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Name = str | int  # a column with the name 2 is typed as a number


class TableOptions(NamedTuple):
    """What the columns of a table mean, and how they become features; all names are text.

    targets: the columns to predict. features: those to predict them from; None takes all others.
    exclude: columns that are no features. group, weight, id: the columns with the group, the weight
        and the name of every row; None without.
    task: ``classification``, ``regression`` or ``multilabel``.
    text: what other columns of text become: ``one_hot``, ``ordinal``, or ``refuse``.
    one_hot: columns that become one feature for each value. ordinal: columns whose values are
        numbered, with the values in order. most_values: of a column that becomes one-hot by itself.
    date_format: of ``strptime``, in addition to ISO 8601; None without. date_parts: what a date
        becomes, some of days, month, weekday, hour.
    missing: ``refuse``, ``drop``, ``mean``, ``median`` or ``most_frequent``.
    words: those that count as missing, besides empty cells.
    numbers: ``auto`` stores 64-bit floats where 32 bits lose digits, ``float32`` never.
    test_fraction: of the rows, where there is no file of test rows.
    """

    targets: tuple[str, ...]
    features: tuple[str, ...] | None
    exclude: tuple[str, ...]
    group: str | None
    weight: str | None
    id: str | None
    task: str
    text: str
    one_hot: tuple[str, ...]
    ordinal: dict[str, tuple[str, ...]]
    most_values: int
    date_format: str | None
    date_parts: tuple[str, ...]
    missing: str
    words: tuple[str, ...]
    numbers: str
    test_fraction: float

    @property
    def not_features(self) -> tuple[str, ...]:
        """The columns that are features only if ``features`` names them."""
        others = (self.group, self.weight, self.id)
        return (*self.targets, *self.exclude, *(name for name in others if name is not None))


def table_options(
    *,
    target: Name | Sequence[Name],
    features: Sequence[Name] | None,
    exclude: Sequence[Name],
    group: Name | None,
    weight: Name | None,
    id: Name | None,
    ordinal: Mapping[str, Sequence[Name]] | None,
    one_hot: Sequence[Name],
    date_parts: Sequence[str],
    missing_values: Sequence[Name],
    **others,
) -> TableOptions:
    """Return the options of ``data=csv`` as they are typed, with names as text.

    others: ``task``, ``text``, ``most_values``, ``date_format``, ``missing``, ``numbers`` and
    ``test_fraction``.
    """
    listed = [target] if isinstance(target, str | int) else target
    return TableOptions(
        targets=names_as_text(listed),
        features=None if features is None else names_as_text(features),
        exclude=names_as_text(exclude),
        group=None if group is None else str(group),
        weight=None if weight is None else str(weight),
        id=None if id is None else str(id),
        ordinal={str(name): names_as_text(values) for name, values in (ordinal or {}).items()},
        one_hot=names_as_text(one_hot),
        date_parts=tuple(date_parts),
        words=names_as_text(missing_values),
        **others,
    )


def names_as_text(names: Sequence[Name]) -> tuple[str, ...]:
    """Return names as text."""
    return tuple(map(str, names))
