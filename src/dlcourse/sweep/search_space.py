"""Search spaces: the values, or the interval of values, of a swept key."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from dlcourse.errors import UserError
from dlcourse.schema.bounds import bounds_of
from dlcourse.schema.hydra_api import refuse_long_range
from dlcourse.schema.kinds import Number
from dlcourse.schema.overrides import is_free
from dlcourse.schema.validate import SWEEP_KEYS

DIGITS = 6  # of a number drawn from an interval


@dataclass(frozen=True)
class Space:
    """The search space of one key: a list of values, or an interval.

    key: as typed, ``optim.lr``, ``model`` or ``+model.speed``.
    owner: the only option of the key's group that the space is for, ``sgd`` in ``optim.lr@sgd``;
        empty for all options that have the key.
    values: as typed; empty for an interval.
    low, high: the ends of an interval, both included. log: values are uniform on a log scale.
    whole: values are integers.
    """

    key: str
    owner: str = ""
    values: tuple[str, ...] = ()
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    whole: bool = False

    @property
    def name(self) -> str:
        """The key with its owner, ``optim.lr@sgd``."""
        return f"{self.key}@{self.owner}" if self.owner else self.key

    @property
    def group(self) -> str:
        """The group that the key belongs to, ``optim`` of ``optim.lr``."""
        return self.key.lstrip("+").split(".")[0]

    @property
    def varies(self) -> bool:
        """Whether there is more than one value."""
        return len(self.values) > 1 or self.is_interval

    @property
    def is_interval(self) -> bool:
        """Whether it is an interval and not a list."""
        return not self.values

    @property
    def identity(self) -> str:
        """The space as text, part of a sweep's stored identity: no letter of it may change."""
        return (
            f"{self.name}=Space(key={self.key!r}, owner={self.owner!r}, values={self.values!r}, "
            f"low={self.low!r}, high={self.high!r}, log={self.log!r}, whole={self.whole!r})"
        )

    def at(self, share: float) -> str:
        """Return the value at a share of the interval: 0 is the low end, 1 the high end."""
        half = 0.5 if self.whole else 0.0  # without it, both ends would be half as frequent
        low, high = self.low - half, self.high + half
        if self.log:
            value = math.exp(math.log(low) * (1 - share) + math.log(high) * share)
        else:
            value = low * (1 - share) + high * share
        return self.written(value)

    def written(self, value: float) -> str:
        """Return a number as text with at most six digits, within the interval."""
        if self.whole:
            return str(min(max(round(value), int(self.low)), int(self.high)))
        return repr(min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high))


def read_spaces(overrides: Sequence[str], loader: ConfigLoader) -> tuple[list[str], list[Space]]:
    """Split a command's overrides into fixed ones and search spaces.

    A later override of a key replaces an earlier one. Raises UserError for a key that cannot be
    swept.
    """
    fixed: dict[str, str] = {}
    spaces: dict[str, Space] = {}
    for override in OverridesParser.create(config_loader=loader).parse_overrides(list(overrides)):
        name = override.get_key_element()
        fixed.pop(name, None)
        spaces.pop(name, None)
        if override.is_sweep_override():
            spaces[name] = read_space(override)
        else:
            fixed[name] = text_of(override)
    return list(fixed.values()), list(spaces.values())


def text_of(override: Override) -> str:
    """Return an override as it was typed."""
    assert override.input_line is not None  # set for every override that is parsed
    return override.input_line


def read_space(override: Override) -> Space:
    """Return the search space of a swept override; raises UserError if it is not allowed."""
    typed = text_of(override)
    key = override.get_key_element().split("@")[0]
    bare = key.lstrip("+")
    if is_free(bare) or bare.split(".")[0] in SWEEP_KEYS:
        raise UserError(
            f"{typed}: {bare} cannot be swept, because it is not part of a job.\n"
            f"Type one value, {bare}=<value>"
        )
    kind = bounds_of(bare)
    whole = isinstance(kind, Number) and kind.whole
    owner = override.package or ""
    refuse_long_range(override)
    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        return read_interval(typed, sweep, key, owner, whole)
    if isinstance(sweep, RangeSweep) and whole:
        assert sweep.start is not None  # Hydra's grammar has no range without it
        if any(float(number) % 1 for number in (sweep.start, sweep.step)):
            raise UserError(
                f"{typed}: {bare} takes whole numbers, and a step of {sweep.step} from "
                f"{sweep.start} gives fractions.\nType {bare}=range(1,10,1)"
            )
    values = tuple(override.sweep_string_iterator())
    if not values:
        raise UserError(f"{typed}: it contains no value.\nType {bare}=<value>,<value>")
    return Space(key, owner, values)


def read_interval(typed: str, sweep: IntervalSweep, key: str, owner: str, whole: bool) -> Space:
    """Return the space of ``interval(low,high)``, whole where the key takes whole numbers only."""
    assert sweep.start is not None  # Hydra's grammar has no interval without its ends
    assert sweep.end is not None
    low, high, log = float(sweep.start), float(sweep.end), "log" in sweep.tags
    whole = whole or type(sweep.start) is type(sweep.end) is int
    problem = None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        problem = f"an interval goes from a smaller number to a larger one, got {low:g}, {high:g}"
    elif log and low <= 0:
        problem = f"a log scale takes positive numbers, got {low:g}"
    elif whole and (low % 1 or high % 1):
        problem = f"the key takes whole numbers, got {low:g} and {high:g}"
    elif unknown := set(sweep.tags) - {"log"}:
        problem = f"the tag {min(unknown)} is unknown; log is the only one"
    if problem:
        raise UserError(f"{typed}: {problem}.\nType '{key}=tag(log,interval(1,100))' or the like")
    return Space(key, owner, (), low, high, log, whole)
