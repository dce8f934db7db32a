"""What a sweep's command lets a key be: a few values, or an interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from dlcourse.errors import UserError
from dlcourse.schema.bounds import bounds_of
from dlcourse.schema.kinds import Number
from dlcourse.schema.overrides import is_free
from dlcourse.schema.validate import SWEEP

DIGITS = 6  # of a number drawn from an interval


@dataclass(frozen=True)
class Space:
    """What one key may be.

    key: as it is typed, ``optim.lr``, ``model`` or ``+model.speed``.
    owner: the option of the key's group to which alone it belongs, ``sgd`` of ``optim.lr@sgd``;
        empty where it belongs to every option that has the key.
    values: as they are typed; empty for an interval.
    low, high: the ends of an interval, both included. log: drawn evenly on a log scale.
    whole: only whole numbers.
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
        """Whether there is more than one thing that it may be."""
        return len(self.values) > 1 or self.is_interval

    @property
    def is_interval(self) -> bool:
        """Whether its values are drawn."""
        return not self.values

    @property
    def identity(self) -> str:
        """The space as text, which identifies a sweep; stored sweeps depend on every letter."""
        return (
            f"{self.name}=Space(key={self.key!r}, owner={self.owner!r}, values={self.values!r}, "
            f"low={self.low!r}, high={self.high!r}, log={self.log!r}, whole={self.whole!r})"
        )

    def at(self, share: float) -> str:
        """Return the value at a share of the way from the low end, which is 0, to the high one."""
        half = 0.5 if self.whole else 0.0  # or the ends would be drawn half as often as the others
        low, high = self.low - half, self.high + half
        if self.log:
            value = math.exp(math.log(low) * (1 - share) + math.log(high) * share)
        else:
            value = low * (1 - share) + high * share
        return self.written(value)

    def written(self, value: float) -> str:
        """Return a number as it is typed, with few enough digits for the name of a folder."""
        if self.whole:
            return str(min(max(round(value), int(self.low)), int(self.high)))
        return repr(min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high))


def read_spaces(words: Sequence[str], loader: ConfigLoader) -> tuple[list[str], list[Space]]:
    """Part a command's words into those that are the same in every job and what the others span.

    Later words of a key take the place of earlier ones. Raises UserError for what cannot be swept.
    """
    fixed: dict[str, str] = {}
    spaces: dict[str, Space] = {}
    for word in OverridesParser.create(config_loader=loader).parse_overrides(list(words)):
        name = word.get_key_element()
        fixed.pop(name, None)
        spaces.pop(name, None)
        if word.is_sweep_override():
            spaces[name] = read_space(word)
        else:
            fixed[name] = text_of(word)
    return list(fixed.values()), list(spaces.values())


def text_of(override: Override) -> str:
    """Return an override as it was typed."""
    assert override.input_line is not None  # set for every override that is parsed
    return override.input_line


def read_space(word: Override) -> Space:
    """Return what one swept word spans; raises UserError where that cannot be meant."""
    typed = text_of(word)
    key = word.get_key_element().split("@")[0]
    bare = key.lstrip("+")
    if is_free(bare) or bare.split(".")[0] in SWEEP:
        raise UserError(
            f"{typed}: {bare} cannot be swept, because it is no part of what a job is.\n"
            f"Type one value, {bare}=<value>"
        )
    kind = bounds_of(bare)
    whole = isinstance(kind, Number) and kind.whole
    owner = word.package or ""
    sweep = word.value()
    if isinstance(sweep, IntervalSweep):
        return read_interval(typed, sweep, key, owner, whole)
    if isinstance(sweep, RangeSweep) and whole:
        assert sweep.start is not None  # Hydra's grammar has no range without it
        if any(float(number) % 1 for number in (sweep.start, sweep.step)):
            raise UserError(
                f"{typed}: {bare} takes whole numbers, and a step of {sweep.step} from "
                f"{sweep.start} meets others.\nType {bare}=range(1,10,1)"
            )
    values = tuple(word.sweep_string_iterator())
    if not values:
        raise UserError(f"{typed}: there is no value in it.\nType {bare}=<value>,<value>")
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
        problem = f"a log scale has no place for {low:g}"
    elif whole and (low % 1 or high % 1):
        problem = f"the key takes whole numbers, and an end of {low:g} to {high:g} is none"
    elif unknown := set(sweep.tags) - {"log"}:
        problem = f"the tag {min(unknown)} means nothing here; log is the only one"
    if problem:
        raise UserError(f"{typed}: {problem}.\nType '{key}=tag(log,interval(1,100))' or the like")
    return Space(key, owner, (), low, high, log, whole)
