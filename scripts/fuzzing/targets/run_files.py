"""The small files of a run and of a sweep: JSON, lines of JSON, and arrays."""

import io
import json
import random
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, cast

import numpy as np

from dlcourse.schema import run_files
from fuzzing.drive import Prepared
from fuzzing.finished_run import json_text, read_all, run_copy
from fuzzing.mutations import VALUES, archive_of, mutated_archive, mutated_bytes, mutated_tree

NOTES: dict[str, Any] = {
    run_files.FAILURE: {"reason": "killed", "status": 137, "attempts": 2, "log": "output.txt"},
    run_files.PRUNED: {"epoch": 3, "value": 0.5},
    run_files.PICKS: {"picked": {"linear": "products", "compile": False}, "measured": {"a": 1.5}},
    run_files.TOGETHER: {"engine": "together"},
    run_files.PREVIOUS: {"epochs": 3, "best": 0.5, "val": {"loss": 1.0}, "continued": []},
}  # fmt: skip
ARRAYS = (run_files.DATA, run_files.PREDICTIONS)
NOTHING: Any = None  # in the place of what is only needed where a file is missing


def json_input(draw: random.Random, content: Any) -> bytes:
    """Return JSON content that is changed as a tree, or as bytes."""
    if draw.random() < 0.7:
        return json_text(mutated_tree(draw, content))
    return mutated_bytes(draw, [json_text(content)])


def one_file(path: Path, *readers: Callable[[], object]) -> Callable[[bytes], None]:
    """Return the reader of a content that writes it into a file and calls all readers."""

    def read(content: bytes) -> None:
        path.write_bytes(content)
        read_all(*readers)

    return read


def result(folder: Path) -> Prepared:
    """Read ``result.json`` as ``resume=``, reports, lists and the Python API do."""
    from dlcourse.api.run import Run
    from dlcourse.engine.reopen import folds_of
    from dlcourse.report.points import group_points
    from dlcourse.report.run_list import list_runs
    from dlcourse.report.run_table import runs_table
    from dlcourse.report.runs import find_runs
    from dlcourse.runs import run_folder

    run = run_copy(folder)
    path = run / run_files.RESULT
    content = json.loads(path.read_text(encoding="utf-8"))
    read = one_file(
        path,
        lambda: run_folder.read_result(run),
        lambda: folds_of(run),
        lambda: group_points(find_runs([run])),
        lambda: runs_table(list(list_runs(folder)), 100),
        lambda: (Run(run).result, Run(run).classes, repr(Run(run))),
    )
    return Prepared(read, lambda draw: json_input(draw, content))


def notes(folder: Path) -> Prepared:
    """Read the notes in the folder of a run that has no result."""
    from dlcourse.engine.autotune import stored_or_decided
    from dlcourse.report.run_list import list_runs
    from dlcourse.report.run_table import reasons, runs_table
    from dlcourse.report.runs import find_runs
    from dlcourse.runs import run_folder
    from dlcourse.sweep.manifest import read_failure

    run = run_copy(folder)
    result = json.loads((run / run_files.RESULT).read_text(encoding="utf-8"))
    (run / run_files.RESULT).unlink()

    def listed() -> object:
        runs = list(list_runs(folder))
        return runs_table(runs, 100), reasons(cast(Any, runs), "dlcourse")

    readers = {
        run_files.FAILURE: [
            lambda: run_folder.refuse_diverged(run), lambda: read_failure(run),
            lambda: find_runs([run]), listed,
        ],
        run_files.PRUNED: [lambda: find_runs([run]), listed],
        run_files.PICKS: [lambda: stored_or_decided({}, NOTHING, NOTHING, NOTHING, run)],
        run_files.TOGETHER: [lambda: run_folder.read_engine(run)],
        run_files.PREVIOUS: [
            lambda: run_folder.write_result(run, result),
            lambda: (run / run_files.RESULT).unlink(missing_ok=True),
        ],
    }  # fmt: skip

    def read(content: bytes) -> None:
        name, _, inner = content.partition(b"\n")
        path = run / name.decode()
        path.write_bytes(inner)
        try:
            read_all(*readers[path.name])
        finally:
            path.unlink(missing_ok=True)

    def make(draw: random.Random) -> bytes:
        name = draw.choice(list(NOTES))
        return f"{name}\n".encode() + json_input(draw, NOTES[name])

    return Prepared(read, make)


def manifest(folder: Path) -> Prepared:
    """Read ``sweep.json`` as ``resume=``, reports and lists do."""
    from dlcourse.report.page_facts import sweep_commands
    from dlcourse.report.points import group_points
    from dlcourse.report.run_list import list_runs
    from dlcourse.report.run_table import runs_table
    from dlcourse.report.runs import find_runs
    from dlcourse.sweep.manifest import Manifest, holds_sweep, read_manifest

    run_copy(folder)
    made = Manifest(["model=mlp", "optim.lr=0.1,0.2", "seeds=2"], None, "0123", "grid",
                    ["optim.lr"], "val/loss", "min", 1)  # fmt: skip
    made.set_point(0, ["optim.lr=0.1"], ["run", "other"])
    made.set_point(1, ["optim.lr=0.2"], ["third"])
    made.write(folder)
    path = folder / run_files.MANIFEST
    content = json.loads(path.read_text(encoding="utf-8"))
    read = one_file(
        path,
        lambda: read_manifest(folder),
        lambda: holds_sweep(folder, "0123"),
        lambda: group_points(find_runs([folder])),
        lambda: runs_table(list(list_runs(folder)), 100),
        lambda: sweep_commands([folder]),
    )
    return Prepared(read, lambda draw: json_input(draw, content))


def history(folder: Path) -> Prepared:
    """Read the lines of ``history.jsonl`` and ``diagnostics.jsonl``."""
    from dlcourse.api.run import Run
    from dlcourse.observe.measurements import as_tables, kept_lines, read_measurements
    from dlcourse.report.histories import histories_of, metric_names, traces_of
    from dlcourse.report.points import group_points
    from dlcourse.report.run_list import list_runs
    from dlcourse.report.runs import find_runs

    run = run_copy(folder)
    names = {"h": run_files.HISTORY, "d": run_files.DIAGNOSTICS}
    lines = {
        key: [json.loads(line) for line in (run / name).read_text(encoding="utf-8").splitlines()]
        for key, name in names.items()
    }
    (stored,) = find_runs([run])
    (point,) = group_points([stored])
    (run / run_files.RESULT).unlink()
    readers = {
        "h": [
            lambda: metric_names(list(histories_of(stored).values())),
            lambda: traces_of(point, "val/loss"),
            lambda: list(list_runs(folder)),
            lambda: Run(run).history,
        ],
        "d": [lambda: as_tables(kept_lines(read_measurements(run), 2, 3))],
    }

    def read(content: bytes) -> None:
        key, inner = content[:1].decode(), content[1:]
        (run / names[key]).write_bytes(inner)
        read_all(*readers[key])

    def make(draw: random.Random) -> bytes:
        key = draw.choice("hd")
        rows = mutated_tree(draw, lines[key])
        rows = rows if isinstance(rows, list) else [rows]
        whole = b"\n".join(map(json_text, rows)) + b"\n"
        return key.encode() + (whole if draw.random() < 0.6 else mutated_bytes(draw, [whole]))

    return Prepared(read, make)


def arrays(folder: Path) -> Prepared:
    """Read the fingerprint of the data, and the predictions."""
    from dlcourse.engine.fingerprint import read_fingerprint
    from dlcourse.engine.predictions import read_pooled, read_predictions, stored_part, write_pooled
    from dlcourse.engine.same_data import refuse_learned, refuse_other_data
    from dlcourse.report.page_facts import fingerprint_text

    run = run_copy(folder)
    known = read_fingerprint(run)
    assert known is not None
    made = read_predictions(run)
    rows = {name: getattr(made, name) for name in ("position", "outputs", "targets")}
    write_pooled(run, rows)
    names = (run_files.DATA, run_files.PREDICTIONS, run_files.OUT_OF_FOLD)
    whole = {name: (run / name).read_bytes() for name in names}
    readers = {
        run_files.DATA: [
            lambda: read_fingerprint(run), lambda: refuse_other_data(run, known),
            lambda: refuse_learned(run, known, nested=False), lambda: fingerprint_text(run),
        ],
        run_files.PREDICTIONS: [
            lambda: read_predictions(run), lambda: stored_part(run, "test", "classification"),
            lambda: stored_part(run, "val", "classification"),
        ],
        run_files.OUT_OF_FOLD: [lambda: read_pooled(run)],
    }  # fmt: skip

    def read(content: bytes) -> None:
        name, _, inner = content.partition(b"\n")
        (run / name.decode()).write_bytes(inner)
        read_all(*readers[name.decode()])

    def make(draw: random.Random) -> bytes:
        name = draw.choice(names)
        return f"{name}\n".encode() + changed_arrays(draw, whole[name])

    return Prepared(read, make)


def changed_arrays(draw: random.Random, content: bytes) -> bytes:
    """Return an ``.npz`` file with changed bytes, entries or arrays."""
    kind = draw.random()
    if kind < 0.2:
        return mutated_bytes(draw, [content])
    if kind < 0.5:
        return mutated_archive(draw, content)
    with np.load(io.BytesIO(content)) as file:
        held = dict(file)
    name = draw.choice(list(held))
    if name == "about" and draw.random() < 0.8:
        about = json.loads(str(held[name]))
        held[name] = np.array(json_text(mutated_tree(draw, about)).decode("utf-8", "replace"))
    else:
        held[name] = odd_array(draw, held[name])
    return npz_bytes(held)


def npz_bytes(held: dict[str, np.ndarray]) -> bytes:
    """Return named arrays as an ``.npz`` file, without compression and without pickles."""
    entries = []
    for name, array in held.items():
        memory = io.BytesIO()
        np.save(memory, array, allow_pickle=False)
        entries.append((f"{name}.npy", memory.getvalue()))
    return archive_of(entries)


def odd_array(draw: random.Random, array: np.ndarray) -> np.ndarray:
    """Return an array of another shape, another type or with other values."""
    kinds: list[Callable[[], Any]] = [
        lambda: np.atleast_1d(array)[:0], lambda: np.atleast_1d(array)[: array.size // 2],
        lambda: array.reshape(-1), lambda: array[None], lambda: array.astype(str),
        lambda: array.astype(complex), lambda: array.astype(bool), lambda: array.astype("<M8[s]"),
        lambda: array.astype(np.float16), lambda: array.astype(">f8"), lambda: np.array(7),
        lambda: np.array(draw.choice(["", "x", "{}", "[]"])), lambda: array.astype("S"),
        lambda: np.full_like(array, draw.choice([np.nan, np.inf, -1, 2**31])),
        lambda: np.zeros((2, 0, 3)), lambda: array.astype([("a", "f4"), ("b", "i8")]),
        lambda: np.asfortranarray(array), lambda: array.astype(np.longdouble),
        lambda: np.array(draw.choice(VALUES)),
    ]  # fmt: skip
    try:
        with np.errstate(all="ignore"):
            made = draw.choice(kinds)()
    except (TypeError, ValueError, OverflowError):
        return np.zeros(3)
    return made if made.dtype != object else np.ones((2, 2))


def encoding(folder: Path) -> Prepared:
    """Read ``table.json``, and encode a table with it."""
    from dlcourse.data.csv import csv
    from dlcourse.engine.stored_encoding import read_encoding
    from dlcourse.runs.start_record import stored_config

    run = run_copy(folder)
    path = run / run_files.TABLE
    content = json.loads(path.read_text(encoding="utf-8"))
    data = stored_config(run)["data"]
    options = {key: data[key] for key in signature(csv).parameters if key in data}

    def read(inner: bytes) -> None:
        path.write_bytes(inner)
        found = read_encoding(run)
        csv(found, **options | {"root": Path(data["root"]), "seed": 0})

    return Prepared(read, lambda draw: json_input(draw, content))


def export(folder: Path) -> Prepared:
    """Open an exported model and predict."""
    import torch

    import dlcourse
    from dlcourse.export.formats import FACTS_FILE
    from dlcourse.export.request import EXPORT_DEFAULTS, read_export_request
    from dlcourse.export.write_export import export_run

    run = run_copy(folder)
    to = folder / "exported"
    export_run(read_export_request(run, "state_dict", str(to), dict(EXPORT_DEFAULTS)))
    path = to / FACTS_FILE
    content = json.loads(path.read_text(encoding="utf-8"))
    width = content["input"]["shape"][1]

    def read(inner: bytes) -> None:
        path.write_bytes(inner)
        opened = dlcourse.load(to)
        read_all(
            lambda: (repr(opened), opened.classes),
            lambda: opened.predict(torch.zeros(2, width)),
        )

    return Prepared(read, lambda draw: json_input(draw, content))
