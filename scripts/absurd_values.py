"""Type absurd values for every key of the config; each must get one message, or be meant.

    python scripts/absurd_values.py [groups=optim,clip] [every=false] [train=false]

Every key of every choice gets 31 values: not a number, infinite, 400 digits, a mapping, a control
character and others (tests/absurd.py). They are set in the composed config, which is checked as on
the command line before data are loaded. For one key of each group, for the keys of the whole run
and of a sweep, and for the names of the groups, the overrides themselves are read and composed, and
seven more are typed, such as references. The script counts what is refused, what is allowed by the
bounds, what is allowed against them, and the tracebacks; the exit status is 1 if there is one of
the last two. 2 minutes on one core.

groups: the groups to try; all without it.
every: whether all overrides of every key are read and composed: 30 minutes on one core.
train: whether to train two epochs with the smallest and largest numbers that the bounds allow, 30 s
    on one core.
"""

import clone  # noqa: F401  (finds src/)

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dlcourse.errors import UserError, nearest
from dlcourse.schema.arguments import arguments
from dlcourse.schema.facts import GROUPS
from dlcourse.terminal.command import one_message

TESTS = Path(__file__).parents[1] / "tests"
ANSWERS = ("true", "false")


def main() -> None:
    """Read the arguments, type all values, print the counts and every fault."""
    settings = arguments(
        sys.argv[1:], {"groups": "all", "every": "false", "train": "false"}, __doc__
    )
    groups = GROUPS if settings["groups"] == "all" else tuple(settings["groups"].split(","))
    for group in groups:
        if group not in GROUPS:
            raise UserError(f"{group} is not a group; {nearest(group, GROUPS)}")
    for name in ("every", "train"):
        if settings[name] not in ANSWERS:
            raise UserError(f"{name}={settings[name]} is not allowed: {name} takes true or false")
    sys.path[:0] = [str(TESTS), str(TESTS / "contract")]

    started, faults = time.perf_counter(), 0
    counts: Counter[str] = Counter()
    for key, value, fate in fates(groups, settings["every"] == "true"):
        counts[fate] += 1
        if fate not in ("refused", "allowed"):
            faults += 1
            print(f"{key} with {value}: {fate}", flush=True)
    minutes = (time.perf_counter() - started) / 60
    print(
        f"{sum(counts.values()):,} values: {counts['refused']:,} refused with one message, "
        f"{counts['allowed']:,} allowed by their bounds, {faults} faults, {minutes:.1f} minutes"
    )
    if settings["train"] == "true":
        train_at_limits(groups)
    sys.exit(1 if faults else 0)


def fates(groups: tuple[str, ...], every: bool) -> Iterator[tuple[str, str, str]]:
    """Yield each key with the name of a value and its fate.

    It is ``refused``, ``allowed``, ``allowed against its bounds`` or the last line of a traceback.
    """
    from absurd import VALUES, choices_with_keys, fate_of, fate_of_override, tried, typed_values

    in_full: set[str] = set()
    for choice in choices_with_keys(groups):
        for key in choice.keys:
            whole = every or key.partition(".")[0] not in in_full
            in_full.add(key.partition(".")[0])
            for value in VALUES if whole else typed_values():
                fate = fate_of(tried(choice, key, value, typed_in_full=whole))
                yield f"{choice.override} {key}", value, fate
        print(f"{choice.override}: {len(choice.keys)} keys", file=sys.stderr, flush=True)
    if groups == GROUPS:
        from absurd import ALONE

        for key in ALONE:
            for value in VALUES:
                yield key, value, fate_of_override(key, value)


def train_at_limits(groups: tuple[str, ...]) -> None:
    """Train with the smallest and largest allowed numbers; anything but a message ends it."""
    from conftest import composed
    from contract.test_bounds import CHOICES, trained_at_limits

    trained = refused = 0
    for group, option in CHOICES:
        if group in groups:
            some, others = trained_at_limits(group, option, composed)
            trained, refused = trained + some, refused + others
    print(f"{trained} runs at the limits of the bounds trained, {refused} got one message")


if __name__ == "__main__":
    with one_message():
        main()
