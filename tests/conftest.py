"""Shared by the tests: composed configs, tiny runs, the command line."""

import gc
import logging
import os
import pickle
import runpy
import signal
import struct
import subprocess
import sys
import warnings
from contextlib import contextmanager
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest
import torch
import yaml

os.environ["OMP_NUM_THREADS"] = "1"  # of processes that tests start: workers share the cores
ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
SMALL = ["data.examples=60", "batch_size=16", "runtime=cpu", "observe=[console,history]"]
TINY = ["data.examples=60", "max_epochs=2", "batch_size=16", "observe=[history]", "runtime=cpu"]


def options(group: str) -> list[str]:
    """Return the options of a config group, found by listing its folder."""
    return sorted(path.stem for path in (CONFIGS / group).glob("[!_]*.yaml"))


def option_facts(group: str, option: str) -> dict:
    """Return the facts that an option's YAML declares; those of several choices in it together."""
    from dlcourse.schema.overrides import nodes

    content = yaml.safe_load((CONFIGS / group / f"{option}.yaml").read_text(encoding="utf-8"))
    found = {}
    for _, node in nodes(content):
        found |= node.get("_facts_", {})
    return found


def idx_files() -> dict[str, bytes]:
    """Return the files of a small data set in MNIST's format."""
    random, files = np.random.default_rng(0), {}
    for part, count in {"train": 20, "t10k": 10}.items():
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        files[f"{part}-images-idx3-ubyte"] = (
            struct.pack(">4i", 2051, count, 28, 28) + images.tobytes()
        )
        files[f"{part}-labels-idx1-ubyte"] = struct.pack(">2i", 2049, count) + labels.tobytes()
    return files


def cifar_files(labels: dict[str, list[str]]) -> dict[str, bytes]:
    """Return the files of a small data set in CIFAR's format: pickles with ten images each.

    labels: the keys under which each file has labels; those of the first are 0 to 9.
    """
    random, files = np.random.default_rng(0), {}
    for name, keys in labels.items():
        content: dict = {key: list(range(10 * k, 10 * k + 10)) for k, key in enumerate(keys)}
        content["data"] = random.integers(0, 256, (10, 3072), dtype=np.uint8)
        files[name] = pickle.dumps(content, protocol=4)  # 5 stores arrays in another way
    return files


def prepared(cfg):
    """Return a new state, a fold and a recipe as a run makes them."""
    from dlcourse.engine.assemble import make_recipe, make_state
    from dlcourse.engine.datasets import load_data, make_fold, split_training_data
    from dlcourse.engine.instantiate import build

    runtime = build(cfg["runtime"])()
    dataset = load_data(cfg)
    (part,) = split_training_data(cfg, dataset)
    fold = make_fold(cfg, dataset, part, runtime)
    state = make_state(cfg, runtime, dataset, fold)
    return state, fold, make_recipe(cfg, runtime, dataset, fold)


def same(first, second) -> bool:
    """Return whether two models have exactly the same weights."""
    return all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )


@contextmanager
def no_waiting():
    """Let PyTorch raise where the CPU waits for the GPU; restore its mode afterwards."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():  # each call says that the mode is a prototype
        warnings.filterwarnings("ignore", message="Synchronization debug mode is a prototype")
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)


hypothesis.settings.register_profile("same", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("same")


SLOW = (
    "api", "baseline", "benchmarks", "commands", "contract", "distributed", "lecture",
    "references", "scripts",
    "sweep",
    "data/test_files.py", "data/test_generated.py", "data/test_streamed.py",
    "data/test_transforms.py", "engine/test_fingerprint.py", "engine/test_lanes.py",
    "engine/test_predictions.py",
    "engine/test_resume.py", "engine/test_run.py", "export/test_exports.py",
    "look/test_every_what.py",
    "look/test_attribution.py", "look/test_examples_and_functions.py", "look/test_surface.py",
    "data/test_decoders.py", "data/test_read_ahead.py", "machine/test_fast_paths.py",
    "machine/test_fused_layers.py",
    "model/test_cascade.py", "model/test_classic.py", "model/test_models.py",
    "model/test_modern.py", "model/test_timm.py", "model/test_torchvision.py",
    "init/test_from_file.py", "observe/test_board.py",
    "observe/test_diagnostics.py", "observe/test_findings_of_runs.py", "observe/test_observers.py",
    "observe/test_plots.py", "observe/test_trackers.py", "observe/test_trajectory.py",
    "optim/test_evaluated_mean.py", "optim/test_loss_scaling.py", "runs/test_again.py",
    "runs/test_migrate.py",
    "preview", "race", "regularizer/test_penalties.py", "report/test_comparison.py",
    "report/test_page.py", "report/test_sweep_curves.py", "report/test_writing.py",
    "schema/test_composer.py", "schema/test_trust.py",
    "split/test_group_kfold.py", "terminal/test_installed.py", "terminal/test_user_code.py",
    "test_cli.py",
    "test_documented_commands.py", "test_float64.py", "test_lessons.py",
    "test_random_streams.py", "test_records.py", "train/test_checkpoint.py",
    "together", "train/test_differentiate.py",
    "train/test_finite.py", "train/test_loop.py", "train/test_midway.py",
    "data/test_download.py", "data/test_fetch.py", "engine/test_share.py",
    "engine/test_unfinished.py", "nonfinite", "runs/test_stored_secrets.py",
    "schema/test_untrusted.py", "test_security.py", "train/test_stopping.py",
    "train/test_damaged_checkpoints.py", "train/test_steps_per_epoch.py",
    "observe/test_growing_file.py", "data/test_unpack.py", "data/test_table_runs.py",
)  # fmt: skip
"""Tests that start processes or train many models: `make quick` leaves them out."""


def pytest_collection_modifyitems(items):
    """Mark the slow tests; a name in SLOW that is no longer a file or folder is an error."""
    slow = [Path(__file__).parent / name for name in SLOW]
    missing = [str(path) for path in slow if not path.exists()]
    assert not missing, f"SLOW in tests/conftest.py names what does not exist: {missing}"
    for item in items:
        if any(item.path == path or path in item.path.parents for path in slow):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish():
    """Exclude the collected tests from garbage collection, which takes a tenth of all time."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _deterministic():
    torch.set_num_threads(1)  # the workers of pytest share the cores
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    """Return a folder in which the digits are decoded once for all tests."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def compose(data_root):
    """Return a function from overrides to a config, as the command line makes it."""
    return lambda *overrides: composed(f"data.root={data_root}", *overrides)


def composed(*overrides: str) -> dict:
    """Return a new config, as the command line makes it; it may be changed."""
    return deepcopy(composed_once(*overrides))


@cache
def composed_once(*overrides: str) -> dict:
    """Return a plain config, composed once for equal overrides: that takes a tenth of a second."""
    from dlcourse.schema.compose import compose_job, without_hydra

    return without_hydra(compose_job(list(overrides), None))


@pytest.fixture
def tiny(compose):
    """Return a function from overrides to the config of a run of a second or less."""
    return lambda *overrides: compose(*TINY, *overrides)


@pytest.fixture
def command(tmp_path, data_root):
    """Return a function that runs ``python train.py`` with given arguments in an empty folder."""

    return partial(command_in, tmp_path, data_root)


def command_in(
    folder: Path,
    data_root: Path,
    *arguments: str,
    script: str = "train.py",
    cwd=None,
    **environment,
):
    """Run ``python train.py`` with arguments in a folder, or in ``cwd``; return the ended process.

    environment: more environment variables.
    """
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        cwd=cwd or folder,
        env={**os.environ, "DLCOURSE_DATA": str(data_root), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def here(tmp_path, data_root, monkeypatch, capfd):
    """Return a function that does what ``python train.py`` or a script does, in this process.

    That saves the seconds of importing PyTorch. Keywords: as for ``command``.
    """
    from dlcourse import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLCOURSE_DATA", str(data_root))
    terminated = signal.getsignal(signal.SIGTERM)
    root = logging.getLogger()
    handlers = root.handlers[:]

    def go(*arguments, script="train.py", cwd=None):
        monkeypatch.setattr(sys, "argv", [str(ROOT / script), *arguments])
        monkeypatch.setattr(sys, "path", sys.path[:])
        if cwd is not None:
            monkeypatch.chdir(cwd)
        status = 0
        try:
            if script == "train.py":
                cli.main()
            else:
                monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))  # is changed
                monkeypatch.syspath_prepend(str(ROOT / "scripts"))
                runpy.run_path(str(ROOT / script), run_name="__main__")
        except SystemExit as ended:
            status = ended.code or 0
        finally:
            for handler in set(root.handlers) - set(handlers):
                handler.close()
            root.handlers[:] = handlers
        printed = capfd.readouterr()
        return SimpleNamespace(returncode=status, stdout=printed.out, stderr=printed.err)

    yield go
    signal.signal(signal.SIGTERM, terminated)


@pytest.fixture
def from_python(tmp_path, data_root, monkeypatch):
    """Return a function that trains two epochs on 60 digits by ``dlcourse.train``, silently.

    It changes into an empty folder first.
    """
    import dlcourse

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLCOURSE_DATA", str(data_root))

    def train(*overrides, **settings):
        return dlcourse.train(*SMALL, *overrides, **{"max_epochs": 2, "quiet": True, **settings})

    return train


@pytest.fixture
def shown(tmp_path, data_root, monkeypatch, capsys):
    """Return a function that runs ``dlcourse show`` in an empty folder.

    It returns the printed text and the figures by name, which are not drawn: that takes a second.
    """
    from dlcourse.commands.main import run_command
    from dlcourse.drawing import files

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLCOURSE_DATA", str(data_root))
    figures = {}

    def keep(figure, path):
        figures[path.name] = figure
        return [path.with_suffix(".png"), path.with_suffix(".svg")]

    monkeypatch.setattr(files, "save_figure", keep)

    def run(*arguments):
        figures.clear()
        monkeypatch.setattr(sys, "argv", ["dlcourse show", *arguments])
        run_command("show")
        return capsys.readouterr().out, dict(figures)

    return run


@pytest.fixture
def refused(shown, capsys, tmp_path):
    """Return a function that runs ``dlcourse show``, which must end with exit status 2.

    It returns the message; nothing has been written.
    """

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            shown(*arguments)
        assert ended.value.code == 2
        assert not (tmp_path / "outputs").exists()
        return capsys.readouterr().err

    return run
