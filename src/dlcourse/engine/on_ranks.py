"""Train one run on several devices of this machine: the process that starts the ranks."""

import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from dlcourse.distributed.start import run_ranks

if TYPE_CHECKING:
    from dlcourse.core import Observer

log = logging.getLogger(__name__)

RANK = "dlcourse.engine.rank"  # its run_rank; this process does not import PyTorch


def run_on_ranks(
    config: dict,
    folder: Path,
    overrides: Sequence[str] = (),
    hydra: str = "",
    observers: "Sequence[Observer]" = (),
    hparam_keys: Sequence[str] | None = None,
) -> float:
    """Train and test one run in ``runtime.devices`` processes; see ``engine.run.run``.

    observers: get states that have a history only.

    Raises what a rank raises, and RankError for a rank that has ended without a reason of its own.
    """
    keys = None if hparam_keys is None else list(hparam_keys)
    torch = sys.modules.get("torch")  # in a job of a sweep, which has its share of the cores
    threads = torch.get_num_threads() if torch is not None else None
    arguments = (config, folder, list(overrides), hydra, keys, bool(observers), threads)
    size = config["runtime"]["devices"]
    return run_ranks(RANK, arguments, size, partial(observe, observers))


def observe(observers: "Sequence[Observer]", content: tuple[str, dict[str, Any]]) -> None:
    """Call the observers with what rank 0 has sent; see ``engine.rank.Relay``."""
    method, facts = content
    state: Any = SimpleNamespace(history=facts["history"])
    for observer in observers:
        if method == "start":
            recipe: Any = SimpleNamespace(**facts["recipe"])
            fold: Any = SimpleNamespace(name=facts["fold"])
            observer.start(state, recipe, fold)
        elif method == "epoch":
            observer.epoch(state)
        else:
            observer.finish(state, facts["result"])
