"""Checkpoints and files of weights."""

import io
import math
import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from dlcourse import atomic_files
from dlcourse.schema.run_files import BEST_WEIGHTS, LAST_CHECKPOINT
from fuzzing.drive import Prepared
from fuzzing.finished_run import read_all, run_copy
from fuzzing.mutations import VALUES, mutated_archive, mutated_bytes, mutated_tree

NAMES = (LAST_CHECKPOINT, BEST_WEIGHTS)
ODD_TENSORS: tuple[Any, ...] = (
    torch.zeros(0), torch.tensor(1.5), torch.zeros(3, dtype=torch.int64), torch.tensor(True),
    torch.zeros(8, 11, dtype=torch.complex64), torch.full((8,), math.nan), torch.zeros(8),
    torch.full((3, 8), math.inf), torch.zeros(1000), torch.zeros(3, 8).half(),
    torch.zeros(3, 8, dtype=torch.float64), torch.nn.Parameter(torch.zeros(3)),
    torch.zeros(3, 8, dtype=torch.uint8), torch.zeros(2, 2).to_sparse(), torch.zeros(1).expand(99),
    torch.zeros(3, 8, device="meta"),
)  # fmt: skip


def readers_of(run: Path) -> dict[str, list[Callable[[], object]]]:
    """Return the readers of the files in NAMES, each from a new model and optimizer."""
    from dlcourse.core import State
    from dlcourse.engine.assemble import make_state
    from dlcourse.engine.datasets import load_data, make_fold, split_training_data
    from dlcourse.engine.instantiate import build
    from dlcourse.init.from_run import read_best_weights
    from dlcourse.runs.start_record import stored_config
    from dlcourse.train.checkpoint import history_of, read_best, restore
    from dlcourse.train.finite import start_finite

    config = stored_config(run)
    runtime = build(config["runtime"])()
    dataset = load_data(config)
    (part,) = split_training_data(config, dataset)
    fold = make_fold(config, dataset, part, runtime)
    fresh = make_state(config, runtime, dataset, fold)
    inputs = torch.zeros(4, *fold.train.inputs.shape[1:])
    shapes = {name: one.shape for name, one in fresh.model.state_dict().items()}

    def new() -> State:
        model = deepcopy(fresh.model)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
        return State(model, optimizer, deepcopy(fresh.scaler), deepcopy(fresh.averaged))

    def resumed() -> None:
        """Restore a state and train one step, as a resumed run does."""
        state = restore(new(), run)
        start_finite(state)
        for record in state.history:
            assert isinstance(record.metrics["train/loss"], float)
        float(state.seconds)
        assert {n: one.shape for n, one in state.model.state_dict().items()} == shapes
        state.model.train()(inputs).sum().backward()
        state.optimizer.step()

    def tested() -> None:
        model = deepcopy(fresh.model)
        epoch, standardize = read_best(model, run, tuple(inputs.shape[1:]))
        assert isinstance(epoch, int)
        model.eval()(standardize(inputs))

    return {
        LAST_CHECKPOINT: [resumed, lambda: history_of(run)],
        BEST_WEIGHTS: [tested, lambda: read_best_weights(run)],
    }


def checkpoint(folder: Path, make: Callable[[random.Random, Path, str], bytes]) -> Prepared:
    """Return the target of both files. make: (random numbers, run, name) -> the file's bytes."""
    run = run_copy(folder)
    readers = readers_of(run)
    whole = {name: (run / name).read_bytes() for name in NAMES}

    def read(content: bytes) -> None:
        name, _, inner = content.partition(b"\n")
        path = run / name.decode()
        path.write_bytes(inner)
        try:
            read_all(*readers[name.decode()])
        finally:
            path.write_bytes(whole[name.decode()])

    def made(draw: random.Random) -> bytes:
        name = draw.choice(NAMES)
        return f"{name}\n".encode() + make(draw, run, name)

    return Prepared(read, made)


def checkpoint_bytes(folder: Path) -> Prepared:
    """Read checkpoints with changed bytes."""
    contents: dict[str, bytes] = {}

    def make(draw: random.Random, run: Path, name: str) -> bytes:
        whole = contents.setdefault(name, (run / name).read_bytes())
        return mutated_bytes(draw, [whole])

    return checkpoint(folder, make)


def checkpoint_content(folder: Path) -> Prepared:
    """Read checkpoints whose content is odd and whose checksums are right."""
    contents: dict[str, Any] = {}

    def make(draw: random.Random, run: Path, name: str) -> bytes:
        if name not in contents:
            contents[name] = atomic_files.load_checked(run / name)
        return checked_bytes(odd_content(draw, contents[name]))

    return checkpoint(folder, make)


def checked_bytes(content: Any) -> bytes:
    """Return content as ``save_checked`` writes it, also what it would not write."""
    memory = io.BytesIO()
    atomic_files.fill_checked(memory, content)
    return memory.getvalue()


def odd_content(draw: random.Random, content: Any) -> Any:
    """Return a copy of a checkpoint's content with values or tensors of another kind."""
    values = VALUES if draw.random() < 0.5 else ODD_TENSORS
    return mutated_tree(draw, content, values)


def weight_files(folder: Path) -> Prepared:
    """Read files of weights of any program, as ``init=from_file`` does."""
    from safetensors.torch import save_file

    from dlcourse.init.from_file import from_file
    from dlcourse.model.mlp import MLP

    model = MLP((4,), 3, widths=[5], activation="relu", norm="none", dropout=0.0)
    weights = model.state_dict()
    content = {"state_dict": {f"module.{n}": one for n, one in weights.items()}, "epoch": 3}
    memory = io.BytesIO()
    torch.save(content, memory)
    legacy = io.BytesIO()
    torch.save(content, legacy, _use_new_zipfile_serialization=False)
    safe = folder / "seed.safetensors"
    save_file(dict(weights), safe)
    seeds = {"p": memory.getvalue(), "l": legacy.getvalue(), "s": safe.read_bytes()}

    def read(content: bytes) -> None:
        kind = content[:1]
        path = folder / ("a.safetensors" if kind == b"s" else "a.pth")
        path.write_bytes(content[1:])
        for strict in (True, False):
            read_all(
                lambda strict=strict: from_file(
                    deepcopy(model), file=str(path), strict=strict, rename=None, exclude=(),
                    rest="default",
                )
            )  # fmt: skip

    def make(draw: random.Random) -> bytes:
        kind = draw.choice("ppplsso")
        if kind == "o":
            changed = io.BytesIO()
            torch.save(odd_content(draw, content), changed)
            return b"p" + changed.getvalue()
        seed = seeds[kind]
        archive = kind == "p" and draw.random() < 0.7
        changed = mutated_archive(draw, seed) if archive else mutated_bytes(draw, [seed])
        return kind.encode() + changed

    return Prepared(read, make)
