"""Compare the data of a run with those that it was started with, and refuse other data."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlcourse.engine.fingerprint import Fingerprint, read_fingerprint
from dlcourse.errors import UserError

MAX_IN_MESSAGE, MAX_IN_NOTE = 8, 3  # differences in an error message, and in a warning
CHANCE = 0.1  # share of the rows of two different tables that may be equal by chance

log = logging.getLogger(__name__)


def refuse_other_data(folder: Path, now: Fingerprint) -> None:
    """Raise UserError that names the differences if a run was started with other data."""
    then = read_fingerprint(folder)
    found = [] if then is None else data_differences(then, now)
    if found:
        raise UserError(
            f"{folder} was started with other data:\n{as_lines(found)}\n"
            "Resumed, it could be validated and tested on examples that it was trained on. Put "
            "the data back as they were, type data.root=<folder> if they are elsewhere, or start "
            "a new run"
        )


def refuse_learned(folder: Path, now: Fingerprint, *, nested: bool, other: bool = False) -> None:
    """Raise UserError if a run must not be tested on these data.

    The classes and their order must be the same, and no test example may be in the training data.
    A test part that differs otherwise is allowed, with a warning.
    nested: whether the test part is a fold of the training part. other: whether the data are named
    as other data, for which a difference is no surprise.
    """
    then = read_fingerprint(folder)
    if then is None:
        log.warning(
            "%s was trained before dlcourse recorded the data of a run: whether they are still the "
            "same cannot be checked", folder,
        )  # fmt: skip
        return
    found = data_differences(then, now)
    if not found or (
        then.test.digest == now.test.digest and not kind_differences(then, now) and not nested
    ):
        return
    reason = ""
    if (then.task, then.classes) != (now.task, now.classes):
        reason = f"its outputs mean {', '.join(then.classes) or 'values'}, in this order"
    elif kind_differences(then, now):
        shape = " x ".join(map(str, then.input_shape))
        reason = f"its inputs are {', '.join(then.features) or shape}, in this order"
    elif nested:
        reason = "its test part is a fold of these data"
    elif other and not (len(then.train.contents) and len(now.test.contents)):
        log.warning("Whether %s was trained on some of these examples cannot be checked", folder)
        return
    elif not len(then.train.contents):
        reason = "its test part was another one"
    else:
        share, usual = (
            float(np.isin(known.test.contents, then.train.contents).mean()) for known in (now, then)
        )
        chance = 0.0 if len(now.input_shape) == 3 else CHANCE
        if share > 2 * usual + chance:
            total = len(now.test.contents)
            reason = f"it was trained on {round(share * total):,} of these {total:,} examples"
    if reason:
        raise UserError(
            f"{folder} cannot be tested on these data: {reason}. What differs:\n{as_lines(found)}\n"
            "Put the data back as they were, or type data.root=<folder of other examples of the "
            "same classes>"
        )
    if other:
        return
    log.warning(
        "the test part is not the one of result.json%s",
        f":\n{as_lines(found)}" if len(found) <= MAX_IN_NOTE else "",
    )


def as_lines(found: Sequence[str]) -> str:
    """Return differences as lines of a message."""
    more = [f"and {len(found) - MAX_IN_MESSAGE} more"] if len(found) > MAX_IN_MESSAGE else []
    return "\n".join(f"  {line}" for line in [*found[:MAX_IN_MESSAGE], *more])


def data_differences(then: Fingerprint, now: Fingerprint) -> list[str]:
    """Return the differences between two data sets as text; an empty list if they are the same."""
    found = kind_differences(then, now)
    if (then.train.digest, then.test.digest) == (now.train.digest, now.test.digest):
        if not found and then.division and now.division and then.division != now.division:
            found = ["the same examples are divided in another way, by another dlcourse or PyTorch"]
        return found
    if (then.features, then.input_shape) != (now.features, now.input_shape):
        return found
    if len(then.train.contents) and len(now.train.contents):
        found += example_differences(then, now)
    else:
        found += [
            f"{part} part, class {name}: {before:,} -> {after:,} examples"
            for part in ("train", "test")
            for name, before, after in zip(
                now.classes or ("any",), getattr(then, part).counts, getattr(now, part).counts,
                strict=False,
            )
            if before != after
        ]  # fmt: skip
    return found or ["the same examples are in another order"]


def kind_differences(then: Fingerprint, now: Fingerprint) -> list[str]:
    """Return the differences in the task, the shape of an example, the columns and the classes."""
    found = []
    if then.task != now.task:
        found.append(f"task: {then.task} -> {now.task}")
    if then.input_shape != now.input_shape:
        shapes = (" x ".join(map(str, shape)) for shape in (then.input_shape, now.input_shape))
        found.append(f"shape of an example: {' -> '.join(shapes)}")
    if then.features != now.features:
        found.append(f"columns: {', '.join(then.features)} -> {', '.join(now.features)}")
    gone, new = class_differences(then, now)
    if len(gone) == len(new):
        found += [f"class names: {old} -> {name}" for old, name in zip(gone, new, strict=True)]
    else:
        found += [f"class {name} was removed" for name in gone]
        found += [f"class {name} was added" for name in new]
    if then.classes != now.classes and not (gone or new):
        found.append(f"order of the classes: {', '.join(then.classes)} -> {', '.join(now.classes)}")
    return found


def class_differences(then: Fingerprint, now: Fingerprint) -> tuple[list[str], list[str]]:
    """Return the classes that only the first data set has, and those that only the second has."""
    return (
        sorted(set(then.classes) - set(now.classes)),
        sorted(set(now.classes) - set(then.classes)),
    )


def example_differences(then: Fingerprint, now: Fingerprint) -> list[str]:
    """Return, class by class, the numbers of examples that were added, removed or changed.

    The last line is the number of examples whose target differs.
    """
    gone, new = class_differences(then, now)
    names = dict(zip(gone, new, strict=True)) if len(gone) == len(new) else {}
    before, after = targets_of(then, names), targets_of(now, {})
    added = by_class(contents_of(now) - contents_of(then), after)
    removed = by_class(contents_of(then) - contents_of(now), before)
    noun = "image" if len(now.input_shape) == 3 else "example"
    found = []
    for name in sorted({*added, *removed}):
        changed = min(added[name], removed[name])
        for count, verb, way in (
            (changed, "changed", "in"),
            (added[name] - changed, "added", "to"),
            (removed[name] - changed, "removed", "from"),
        ):
            if count:
                what = f"{count:,} {noun} was" if count == 1 else f"{count:,} {noun}s were"
                found.append(f"{what} {verb}" + (f" {way} class {name}" if name else ""))
    other = sum(before[content] != after[content] for content in before.keys() & after.keys())
    if other:
        found.append("1 target differs" if other == 1 else f"{other:,} targets differ")
    return found


def contents_of(known: Fingerprint) -> Counter[int]:
    """Count the digests of the examples, over both parts."""
    return Counter([*known.train.contents.tolist(), *known.test.contents.tolist()])


def targets_of(known: Fingerprint, names: dict[str, str]) -> dict[int, str | int]:
    """Return the target of every example by its digest: the name of a class, or a digest.

    names: the new names of renamed classes.
    """
    single = known.task == "classification"
    classes = [names.get(name, name) for name in known.classes] if single else []
    return {
        content: classes[target] if classes else target
        for part in (known.train, known.test)
        for content, target in zip(part.contents.tolist(), part.targets.tolist(), strict=True)
    }


def by_class(contents: Counter[int], targets: dict[int, str | int]) -> Counter[str]:
    """Return the number of examples in each class; under "" where a target is no single class."""
    counts: Counter[str] = Counter()
    for content, count in contents.items():
        target = targets[content]
        counts[target if isinstance(target, str) else ""] += count
    return counts
