"""Absurd values for every key of the config: each gets one message, or is allowed on purpose.

``scripts/absurd_values.py`` tries all of them, a test some.
"""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import NamedTuple

from conftest import options
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from dlcourse.errors import UserError
from dlcourse.schema.bounds import bounds_of
from dlcourse.schema.command_line import parse_command
from dlcourse.schema.compose import compose_job, compose_sweep, explain, without_hydra
from dlcourse.schema.composer import Composer, replaced
from dlcourse.schema.kinds import (
    AnyOptions,
    Code,
    Duration,
    Factors,
    Flag,
    Interval,
    Kind,
    NamedValues,
    Number,
    Numbers,
    OneLine,
    OneNumber,
    SomeOf,
    Tags,
    Text,
    Texts,
)
from dlcourse.schema.validate import GROUPS, MULTIPLE, TOP_LEVEL, check, check_key, values
from dlcourse.sweep.settings import read_settings

VALUES = {
    "not a number": "nan", "infinite": "inf", "negative infinite": "-inf", "minus one": "-1",
    "zero": "0", "negative zero": "-0.0", "one": "1", "one and a half": "1.5",
    "close to the largest": "1e308", "0 in float32": "1e-320", "tiny in float32": "1e-40",
    "10^30": "1" + 30 * "0", "400 digits": 400 * "9", "10,000 digits": 10_000 * "9",
    "true": "true", "null": "null", "no text": "''", "a text": "abc", "a number as text": "'1'",
    "5,000 letters": 5000 * "x", "no ASCII": "'ü'", "no text direction": "'\u202e\U0001f4a9'",
    "a NUL": "'a\0b'", "a control character": "'a\x1b[31mb'", "half a character": "'\udce9'",
    "missing": "???",
    "no list": "[]", "a list": "[1]", "a list of texts": "[abc]", "lists in lists": "[[1]]",
    "no mapping": "{}", "a mapping": "{a:1}", "mappings in mappings": "{a:{b:{c:[1]}}}",
    "the environment": "${oc.env:HOME}", "a reference": "${optim.lr}",
    "a reference to nothing": "${nothing}", "a reference to a group": "${model}",
    "a broken reference": "'${'",
}  # fmt: skip
"""Values as they are typed, in the grammar of overrides, each with what it is."""


NEVER = (
    "not a number", "infinite", "negative infinite", "close to the largest", "400 digits", "a NUL",
    "a control character", "lists in lists", "mappings in mappings", "10,000 digits", "missing",
)  # fmt: skip
"""Values that no key takes, except those that hand any value to the user's own code."""

TEXTS = ("a text", "a number as text", "no ASCII", "no text direction", "half a character")


def intended(kind: Kind | None, name: str) -> bool:
    """Return whether a kind of values is meant to take a value of ``VALUES``.

    It is written without the bounds' own code, but for the limits of a number.
    """
    if isinstance(kind, AnyOptions) or (isinstance(kind, NamedValues) and kind.each is None):
        return "mapping" in name or name in ("null", "a reference to a group")
    if name in NEVER:
        return False
    if name == "null":
        return isinstance(kind, Code | Duration | OneLine) or getattr(kind, "empty", False)
    if name == "true":
        return isinstance(kind, Flag)
    if name in NUMBERS:
        return takes_number(kind, NUMBERS[name])
    if name == "a number as text" and isinstance(kind, Duration):
        return True
    if name in TEXTS or name == "the environment":
        return isinstance(kind, Text | OneLine) or (isinstance(kind, Texts) and kind.single)
    if name == "no mapping":
        return isinstance(kind, NamedValues)
    if name == "no list":
        return isinstance(kind, Texts | Tags | SomeOf | Factors) or (
            isinstance(kind, Numbers) and kind.shortest == 0
        )
    if name == "a list":
        texts = isinstance(kind, Tags) or (isinstance(kind, Texts) and kind.numbers)
        return texts or (isinstance(kind, Numbers) and takes_number(kind.each, 1))
    if name == "a list of texts":
        return isinstance(kind, Texts | Tags)
    return False


NUMBERS = {
    "a reference": 0.001, "minus one": -1, "zero": 0, "negative zero": -0.0, "one": 1,
    "one and a half": 1.5,
    "0 in float32": 1e-320, "tiny in float32": 1e-40, "10^30": 10**30,
}  # fmt: skip


def takes_number(kind: Kind | None, number: float) -> bool:
    """Return whether a number is within the limits of a kind."""
    if isinstance(kind, Duration):
        return number > 0 and (type(number) is int or not kind.steps) and number < 1e9
    if isinstance(kind, Interval | OneNumber):
        return number == 1
    if isinstance(kind, Text | Texts):
        single = isinstance(kind, Text) or kind.single
        return single and kind.numbers and type(number) is int
    if not isinstance(kind, Number) or (kind.whole and type(number) is not int):
        return False
    too_small = kind.above and kind.in_float32 and 0 < number < 1e-38
    return kind.low <= number <= kind.high and not (
        (kind.above and number == kind.low) or (kind.below and number == kind.high) or too_small
    )


@cache
def typed_values() -> dict[str, object]:
    """Return the values that are no references and that Hydra's grammar can read."""
    parser, found = OverridesParser.create(), {}
    for name, text in VALUES.items():
        with suppress(HydraException, ValueError):
            if "$" not in text and "?" not in text:
                found[name] = parser.parse_override(f"key={text}").value()
    return found


class Trial(NamedTuple):
    """One value of one key, typed with a choice.

    value: its name in ``VALUES``. refused: the message; empty if it is allowed. trace: the
    traceback of anything but a message.
    """

    choice: str
    key: str
    value: str
    refused: str = ""
    trace: str = ""


class Choice(NamedTuple):
    """A choice of a group as an override, ``optim=adam``, and the keys that it has.

    composer, config: of a run with this choice. problem: the message about such a run as it is; it
    may need other overrides as well.
    """

    override: str
    keys: list[str]
    composer: Composer
    config: dict
    problem: str


def choices_with_keys(groups: Sequence[str] = GROUPS) -> Iterator[Choice]:
    """Yield every choice of some groups."""
    for group in groups:
        for option in options(group):
            override = f"{group}=[{option}]" if group in MULTIPLE else f"{group}={option}"
            yield choice_with_keys(override, group)


def choice_with_keys(override: str, group: str) -> Choice:
    """Return a choice of a group with its keys, those that all choices of the group share too."""
    composer = Composer([override], None)
    config = composer.compose([]).config()
    keys = [key for key, _ in values(config) if key.startswith(f"{group}.")]
    keys = [key for key in keys if not key.rpartition(".")[2].startswith("_")]
    return Choice(override, keys, composer, config, message_of(partial(check, config)))


def message_of(step: Callable[[], object]) -> str:
    """Return the message with which a step ends; empty if it ends without one."""
    try:
        step()
    except UserError as error:
        return str(error)
    return ""


def tried(choice: Choice, key: str, value: str, *, typed_in_full: bool = True) -> Trial:
    """Return what the checks of a run say about a value of a key, before data are loaded.

    typed_in_full: read, compose and check the override. Otherwise the value that Hydra reads in it
    is set in the config, which takes 1 ms and not up to 100 ms, and checked.
    """

    def checks() -> None:
        if not typed_in_full and value in typed_values():
            other = replaced(choice.config, {tuple(key.split(".")): typed_values()[value]})
            check(other, None if "mapping" in value else {key})
            return
        _, typed = parse_command([f"{key}={VALUES[value]}"])
        composed = choice.composer.compose(typed)
        composed.check(composed.config())

    try:
        message = message_of(checks)
    except Exception:
        return Trial(choice.override, key, value, trace=traceback.format_exc())
    return Trial(choice.override, key, value, "" if message == choice.problem else message)


def tried_alone(override: str, *, sweep: bool = False) -> str:
    """Return the message about an override of a run or a sweep; raises anything but UserError."""

    def checks() -> None:
        parsed, _ = parse_command([override, *(["-m"] if sweep else [])])
        try:
            if sweep:
                read_settings(compose_sweep(parsed.overrides, None))
                return
            cfg = compose_job(parsed.overrides, None)
            check_key("check", cfg.check)
            check(without_hydra(cfg))
        except OmegaConfBaseException as error:  # as ``cli.main`` does
            raise explain(error, parsed.overrides) from error

    return message_of(checks)


SWEPT = ("seeds", "workers", "on_error", "job_timeout", "sweep.seed", "sweep", "hydra.sweep.dir")
OF_HYDRA = ("hydra.run.dir", "hydra.job.name", "hydra.verbose", "hydra.mode", "hydra/launcher")
ALONE = (*TOP_LEVEL, "check", *SWEPT, *GROUPS, "experiment", "debug", *OF_HYDRA)
"""Keys of the whole run or sweep, and the groups themselves."""


def fate_of(trial: Trial) -> str:
    """Return ``refused``, ``allowed``, or what is wrong with the answer to a value."""
    if trial.trace:
        return trial.trace.strip().splitlines()[-1]
    if trial.refused:
        return "refused"
    group, _, name = trial.key.partition(".")
    kind = bounds_of(trial.key) or bounds_of(f"{group}.any.{name.rpartition('.')[2]}")
    return "allowed" if intended(kind, trial.value) else "allowed against its bounds"


def fate_of_override(key: str, value: str) -> str:
    """Return the same as ``fate_of`` for a key that is typed alone."""
    try:
        refused = tried_alone(f"{key}={VALUES[value]}", sweep=key in SWEPT)
    except (Exception, SystemExit):
        return traceback.format_exc().strip().splitlines()[-1]
    if refused or key in OF_HYDRA or bounds_of(key) is None:
        return "refused" if refused else "allowed"
    meant = key == "note" or intended(bounds_of(key), value)  # a note is any text, as it is typed
    return "allowed" if meant else "allowed against its bounds"
