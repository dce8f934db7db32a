"""Check that all ranks train the same model on the same data, at the start and after each epoch."""

import hashlib
import platform
import random
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dlcourse import __version__, atomic_files
from dlcourse.distributed.collectives import gathered
from dlcourse.distributed.ranks import this_rank
from dlcourse.errors import UserError

SOURCES = Path(__file__).parents[1]


def refuse_different(config: Mapping, data: str) -> None:
    """Raise UserError if a rank has another config, data or code; the message names the rank.

    data: a digest of the data and their division.
    """
    if not this_rank().joined:
        return
    own = {
        "dlcourse": f"{__version__}, files {code_digest()}",
        "torch": torch.__version__,
        "config": short_digest(atomic_files.to_json(dict(config), sort_keys=True)),
        "data": data,
        "machine": platform.node(),
    }
    found = gathered(own)
    for rank, other in enumerate(found):
        differing = [name for name in ("dlcourse", "torch", "config", "data")
                     if other[name] != found[0][name]]  # fmt: skip
        if differing:
            lines = "\n".join(f"  {n}: {found[0][n]} -> {other[n]}" for n in differing)
            raise UserError(
                f"Rank {rank} (on {other['machine']}) differs from rank 0 (on "
                f"{found[0]['machine']}):\n{lines}\n"
                "All ranks need the same files of dlcourse, the same data and the same command"
            )


def refuse_drift(model: nn.Module, epoch: int) -> None:
    """Raise UserError if, after an epoch, the ranks have other weights or random generators.

    epoch: from 1.
    """
    if not this_rank().joined:
        return
    found = gathered({"weights": weights_digest(model), "random numbers": generators_digest()})
    for rank, other in enumerate(found):
        differing = [name for name, value in other.items() if value != found[0][name]]
        if differing:
            raise UserError(
                f"In epoch {epoch} rank {rank} has other {' and '.join(differing)} than rank 0: "
                "something in this run depends on the rank, such as random numbers that the model "
                "or the loss draws itself.\nType runtime.devices=1, or use nn.Dropout and the "
                "augmentations, whose numbers are drawn for the whole batch"
            )


def weights_digest(model: nn.Module) -> str:
    """Return a digest of all parameters: the bits of their norms, in one read-back."""
    values = [weight.detach() for weight in model.parameters()]
    if not values:
        return ""
    norms = torch.stack([one.to(values[0].dtype) for one in torch._foreach_norm(values, 2)])  # pyright: ignore[reportPrivateImportUsage]
    return short_digest(norms.cpu().numpy().tobytes())


def generators_digest() -> str:
    """Return a digest of the states of all random generators of this rank."""
    parts = [torch.get_rng_state().numpy().tobytes(), repr(random.getstate()).encode()]
    kind, keys, *rest = np.random.get_state(legacy=True)
    parts += [np.asarray(keys).tobytes(), repr((kind, *rest)).encode()]
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        parts.append(torch.cuda.get_rng_state().numpy().tobytes())
    return short_digest(b"".join(parts))


@cache
def code_digest() -> str:
    """Return a digest of the files of this package."""
    made = hashlib.blake2b(digest_size=6)
    for path in sorted(SOURCES.rglob("*.py")):
        made.update(str(path.relative_to(SOURCES)).encode() + path.read_bytes())
    return made.hexdigest()


def short_digest(content: str | bytes) -> str:
    """Return a short digest of a text or of bytes."""
    raw = content.encode() if isinstance(content, str) else content
    return hashlib.blake2b(raw, digest_size=6).hexdigest()
