"""A run that the system refuses a file or memory says how far it is whole, and frees its memory."""

import gc
import os
import resource
import weakref
from importlib import import_module

import pytest
import torch

from dlcourse.core import Observer
from dlcourse.engine.job import explaining, run_job
from dlcourse.engine.unfinished import file_error, how_far
from dlcourse.errors import OutOfMemoryError
from dlcourse.runs.prepare import prepare_run
from dlcourse.schema.compose import compose_job

import_module("dlcourse.engine.run")  # before the fork, where the import would be repeated
TINY = ["model=mlp", "data.examples=60", "max_epochs=3", "observe=[]", "runtime=cpu"]


class Limit(Observer):
    """Limits the size of files after the first epoch of a fold."""

    def __init__(self, fold):
        self.fold = fold

    def start(self, state, recipe, fold):
        self.here = fold.name == self.fold

    def epoch(self, state):
        if self.here:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def ending_of(overrides, fold="."):
    """Run in a forked process whose files are limited; return the type and text of its error."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            run = prepare_run(compose_job(overrides, None), overrides, None)
            run_job(**run.arguments(), observers=[Limit(fold)])
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, encoding="utf-8") as file:
        return file.read()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_refused_checkpoint_ends_the_run_with_the_last_whole_epoch(folder):
    first, second = ending_of([*TINY, "hydra.run.dir=run"]).splitlines()
    why = "a file may not be larger (1.2 MB needed, 0.1 MB allowed)."
    assert first == f"FileError: run/checkpoints/last.pt cannot be written: {why}"
    assert second.startswith("The run is whole up to epoch 1: type ulimit -f unlimited, and type ")
    assert second.endswith(" resume=run")
    left = sorted(path.name for path in (folder / "run/checkpoints").iterdir())
    assert [name for name in left if name.endswith(".tmp")] == []
    assert "last.pt" in left


def test_a_refused_checkpoint_of_a_fold_names_the_fold(folder):
    more = ["split=kfold", "split.folds=3", "stop=never", "hydra.run.dir=run"]
    told = ending_of([*TINY, *more], fold="fold1")
    assert "\nThe run is whole up to epoch 1 of fold1: " in told


def test_a_deleted_folder_is_said_to_be_lost(folder):
    with pytest.raises(FileNotFoundError) as caught:
        (folder / "run/history.jsonl").write_text("")
    told = str(file_error(caught.value, folder / "run", "x"))
    assert told.startswith("The folder run was deleted, and nothing of the run is left.\nType ")


def test_a_run_without_a_checkpoint_is_whole_up_to_nothing(folder):
    assert how_far(folder) == ""


def take_too_much(alive):
    """Keep a tensor in a local variable and run out of memory; alive: gets a reference to it."""
    large = torch.zeros(1000)
    alive.append(weakref.ref(large))
    torch.empty(2**46, dtype=torch.float64)


def test_the_memory_of_a_failed_run_is_free_while_its_error_is_kept(folder):
    alive = []

    def train():
        with explaining({"batch_size": 8, "accumulate": 2}, folder):
            take_too_much(alive)

    with pytest.raises(OutOfMemoryError, match="memory with batch_size=8 accumulate=2: ") as kept:
        train()
    gc.collect()
    assert alive[0]() is None
    assert kept.value.__traceback__ is not None


def test_an_error_that_is_kept_as_it_is_keeps_the_memory():
    alive = []
    with pytest.raises(RuntimeError) as kept:
        take_too_much(alive)
    gc.collect()
    assert alive[0]() is not None
    assert kept.value.__traceback__ is not None
