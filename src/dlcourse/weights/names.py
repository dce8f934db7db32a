"""Names of tensors: prefixes that wrappers add, patterns that rename and leave out."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

from torch import Tensor

from dlcourse.errors import UserError

COMPILED = "_orig_mod."  # torch.compile
WRAPPERS = ("module.", "model.", "net.", "backbone.")  # DataParallel and DDP; many own classes
COUNTERS = ("n_averaged",)  # of torch.optim.swa_utils.AveragedModel


def without_prefixes(
    tensors: Mapping[str, Tensor], own: Collection[str]
) -> tuple[dict[str, Tensor], list[str]]:
    """Return tensors without the prefixes that wrappers have added, and these prefixes.

    A prefix is removed where all names have it and none is a name of the model.

    own: the names of the model's tensors.
    """
    removed = [COMPILED] if any(COMPILED in name for name in tensors) else []
    named = {n.replace(COMPILED, ""): one for n, one in tensors.items() if n not in COUNTERS}
    while named and not named.keys() & set(own):
        prefix = next((p for p in WRAPPERS if all(n.startswith(p) for n in named)), None)
        if prefix is None:
            break
        removed.append(prefix)
        named = {name.removeprefix(prefix): one for name, one in named.items()}
    return named, removed


def as_named_here(
    tensors: Mapping[str, Tensor], own: Collection[str], layers: Mapping[str, str]
) -> dict[str, Tensor]:
    """Return tensors under a model's names.

    A model that wraps a network, such as ``model=torchvision``, has a prefix of its own, which is
    added where it fits.

    own: the names of the model's tensors. layers: names of layers in the file with their names in
    the model.
    """
    found, wrapper = {}, wrapper_of(own)
    for name, one in tensors.items():
        layer, _, last = name.rpartition(".")
        here = f"{layers[layer]}.{last}" if layer in layers else name
        found[wrapper + here if here not in own and wrapper + here in own else here] = one
    return found


def wrapper_of(own: Collection[str]) -> str:
    """Return the first part, with its dot, that most of a model's names have in common."""
    firsts = Counter(name.partition(".")[0] for name in own if "." in name)
    return f"{firsts.most_common(1)[0][0]}." if firsts else ""


def renamed(
    tensors: Mapping[str, Tensor], patterns: Mapping[str, str], key: str
) -> dict[str, Tensor]:
    """Return tensors under other names: ``{"encoder.*": "features.*"}``.

    Each ``*`` stands for any text, which the ``*`` at the same place of the new name repeats. The
    first pattern that fits a name is taken. key: the option, for messages.

    Raises UserError for a pattern that fits no name, and for two tensors that get one name.
    """
    found, used = {}, set()
    for name, one in tensors.items():
        new = name
        for old, pattern in patterns.items():
            fits = re.fullmatch("(.*)".join(map(re.escape, old.split("*"))), name)
            if fits:
                parts = iter(fits.groups())
                new = re.sub(r"\*", lambda _, parts=parts: next(parts), pattern)
                used.add(old)
                break
        if new in found:
            raise UserError(
                f"{key} gives the name {new} to two tensors.\nType patterns with different names"
            )
        found[new] = one
    refuse_idle([old for old in patterns if old not in used], list(tensors), key)
    return found


def without_excluded(
    tensors: Mapping[str, Tensor], patterns: Sequence[str], own: Collection[str], key: str
) -> dict[str, Tensor]:
    """Return the tensors whose names fit none of the patterns, ``["fc.*"]``.

    own: the names of the model's tensors. key: the option, for messages.
    Raises UserError for a pattern that fits no name of the file or of the model.
    """
    wrapper = wrapper_of(own)
    every = [*tensors, *own]
    idle = [one for one in patterns if not any(fits_one(name, [one], wrapper) for name in every)]
    refuse_idle(idle, every, key)
    return {name: one for name, one in tensors.items() if not fits_one(name, patterns, wrapper)}


def fits_one(name: str, patterns: Sequence[str], wrapper: str) -> bool:
    """Return whether a name fits one of the patterns, as it is or without the wrapper's prefix."""
    names = (name, name.removeprefix(wrapper))
    return any(fnmatchcase(one, pattern) for one in names for pattern in patterns)


def refuse_idle(idle: Sequence[str], names: Sequence[str], key: str) -> None:
    """Raise UserError for the first pattern that fits no name."""
    if idle:
        shown = ", ".join(list(names)[:5])
        raise UserError(
            f"{key}: {idle[0]} fits no name; the first names are {shown}.\n"
            "Type a name as in the file; * stands for any text"
        )
