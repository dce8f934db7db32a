"""A damaged or lost file of a checkpoint: what is left is used, and the end stays the same."""

import hashlib
import os
import platform
import resource
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import TINY, composed, prepared, same

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.train.checkpoint import history_of, restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import fit

DROPPING_RATE = [
    "model=mlp", "model.dropout=0.4", "augment=[noise]", "optim=momentum", "max_epochs=4",
    "stop=never", "schedule=step", "schedule.step_size=2",
]  # fmt: skip
TIMES = ("seconds", "examples_per_second")


def history(state):
    return [
        {name: value for name, value in record.metrics.items() if name not in TIMES}
        for record in state.history
    ]


LAST, PREVIOUS, BEST = (f"checkpoints/{name}.pt" for name in ("last", "previous", "best"))


class Run:
    """A run of four epochs whose monitored learning rate is the same in epochs 1 and 2, 3 and 4.

    mode: with ``max`` epoch 1 is the best one, and with ``min`` epoch 3.
    """

    def __init__(self, cfg, folder, mode):
        self.cfg, self.folder, self.mode = cfg, folder, mode
        folder.mkdir(parents=True, exist_ok=True)

    def prepared(self):
        state, fold, recipe = prepared(self.cfg)
        return state, fold, replace(recipe, monitor="lr", mode=self.mode)

    def train(self, observer=Checkpoint):
        """Start the run, or resume it from what is in its folder."""
        state, fold, recipe = self.prepared()
        return fit(restore(state, self.folder), fold, recipe, [observer(self.folder)])

    def copy(self, folder):
        return Run(self.cfg, Path(shutil.copytree(self.folder, folder)), self.mode)

    def __truediv__(self, name):
        return self.folder / name


@pytest.fixture(scope="module")
def best_is_third(data_root, tmp_path_factory):
    """A finished run, and the state at its end."""
    cfg = composed(f"data.root={data_root}", *TINY, *DROPPING_RATE)
    run = Run(cfg, tmp_path_factory.mktemp("third") / "run", "min")
    return run, run.train()


@pytest.fixture(scope="module")
def best_is_first(best_is_third, tmp_path_factory):
    run = Run(best_is_third[0].cfg, tmp_path_factory.mktemp("first") / "run", "max")
    run.train()
    return run


@pytest.fixture
def copy(best_is_third, tmp_path):
    return best_is_third[0].copy(tmp_path / "copy")


def cut(path):
    path.write_bytes(path.read_bytes()[:-300])


@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_a_damaged_last_checkpoint_is_replaced_by_the_previous_one(
    damage, best_is_third, copy, caplog
):
    damage(copy / LAST)
    again, whole = copy.train(), best_is_third[1]
    assert "resumed from previous.pt, after epoch 3" in caplog.text
    assert same(whole.model, again.model)
    assert history(whole) == history(again)
    assert history_of(copy.folder) == again.history


def test_a_damaged_checkpoint_never_becomes_the_previous_one(copy):
    cut(copy / LAST)
    before = (copy / PREVIOUS).read_bytes()
    copy.train()
    assert (copy / PREVIOUS).read_bytes() == before
    assert atomic_files.load_checked(copy / LAST)["history"][-1][0] == 4


def test_without_a_whole_checkpoint_nothing_starts_and_the_remedy_works(
    best_is_third, copy, caplog
):
    cut(copy / LAST)
    (copy / PREVIOUS).write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"last\.pt is damaged.*previous\.pt is damaged") as error:
        copy.train()
    assert f"delete {copy / 'checkpoints'} and resume" in str(error.value)
    shutil.rmtree(copy / "checkpoints")
    (copy / "history.jsonl").write_text("{}\n")
    assert same(best_is_third[1].model, copy.train().model)
    assert "training starts again at epoch 1" in caplog.text


@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_lost_best_weights_are_written_again_from_the_previous_checkpoint(
    damage, best_is_third, copy, caplog
):
    damage(copy / BEST)
    copy.train()
    assert "it is written again from a checkpoint" in caplog.text
    assert digest_of(copy / BEST) == digest_of(best_is_third[0] / BEST)


def test_best_weights_that_are_lost_for_good_end_a_resume_at_its_start(best_is_first, tmp_path):
    for damage, message in (
        (Path.unlink, "best.pt does not exist"),
        (cut, "best.pt is damaged"),
        (with_other_weights, "best.pt is not the file that checkpoints/last.pt names"),
        (with_another_epoch, "holds the weights of epoch 2, and epoch 1 was best"),
    ):
        copied = best_is_first.copy(tmp_path / damage.__name__)
        damage(copied / BEST)
        with pytest.raises(UserError, match=message) as error:
            copied.train()
        assert f"Delete {copied / 'checkpoints'} and resume" in str(error.value)


def with_other_weights(path):
    content = atomic_files.load_checked(path)
    next(iter(content["model"].values())).flatten()[0] += 1
    atomic_files.save_checked(path, content)


def with_another_epoch(path):
    atomic_files.save_checked(path, atomic_files.load_checked(path) | {"epoch": 2})


def test_a_run_killed_between_its_two_files_gets_its_best_weights_from_the_first(
    best_is_third, tmp_path
):
    class Killed(Exception):
        pass

    class Killing(Checkpoint):
        def write_best(self, weights, epoch):
            if epoch == 3:
                raise Killed
            return super().write_best(weights, epoch)

    whole, end = best_is_third
    run = Run(whole.cfg, tmp_path / "killed", "min")
    with pytest.raises(Killed):
        run.train(Killing)
    assert atomic_files.load_checked(run / BEST)["epoch"] == 1
    assert same(end.model, run.train().model)
    assert digest_of(run / BEST) == digest_of(whole / BEST)
    assert digest_of(run / LAST) != digest_of(whole / LAST)  # the times differ


def digest_of(path):
    return atomic_files.load_with_digest(path)[1]


def test_a_flipped_bit_that_no_checksum_of_the_archive_covers_is_detected(tmp_path):
    path = tmp_path / "some.pt"
    atomic_files.save_checked(path, {"weight": torch.randn(50)})
    whole = bytearray(path.read_bytes())
    entry = whole.rindex(b"PK\x01\x02", 0, whole.index(b"data/0", whole.index(b"PK\x01\x02")))
    whole[entry + 38] ^= 0x10  # the entry is marked as a folder: PyTorch does not read it
    path.write_bytes(whole)
    assert zipfile.ZipFile(path).testzip() is None  # the control
    with pytest.raises(atomic_files.DamagedFileError, match="do not have the digest"):
        atomic_files.load_checked(path)
    path.write_bytes(whole[:-LINE])  # a file of version 1, which has no last line
    with pytest.raises(atomic_files.DamagedFileError, match="marked as a folder"):
        atomic_files.load_checked(path)


LINE = len(f"\ndlcourse file 2 sha256 {64 * '0'}\n")


def test_files_of_version_1_are_read_and_those_of_a_newer_version_are_named(tmp_path):
    path, content = tmp_path / "some.pt", {"weight": torch.randn(50)}
    torch.save(content, path)
    assert torch.equal(atomic_files.load_checked(path)["weight"], content["weight"])
    atomic_files.save_checked(path, content)
    whole = path.read_bytes()
    assert torch.equal(torch.load(path, weights_only=True)["weight"], content["weight"])
    start = whole[:-LINE] + b"\ndlcourse file 3 sha256 "
    path.write_bytes(start + hashlib.sha256(start).hexdigest().encode() + b"\n")
    with pytest.raises(
        atomic_files.DamagedFileError, match=r"by a newer dlcourse: its format is 3"
    ):
        atomic_files.load_checked(path)
    path.write_bytes(whole[:-LINE] + b"junk")
    with pytest.raises(atomic_files.DamagedFileError, match="other bytes follow"):
        atomic_files.load_checked(path)


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(3), "text"])
def test_a_whole_file_that_is_no_checkpoint_is_named(content, tmp_path):
    torch.save(content, tmp_path / "some.pt")
    with pytest.raises(atomic_files.DamagedFileError, match="not a dict"):
        atomic_files.load_checked(tmp_path / "some.pt")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", [1]), ("averaged", None), ("optimizer", {"state": 3}), ("history", [3]),
        ("history", [[2, {}]]), ("history", [[1, {"val/loss": 0.5}]]), ("seconds", "long"),
    ],
)  # fmt: skip
def test_a_checkpoint_with_odd_content_is_refused_with_one_message(key, value, copy):
    content = atomic_files.load_checked(copy / LAST)
    atomic_files.save_checked(copy / LAST, content | {key: value})
    with pytest.raises(UserError, match="does not fit this model"):
        copy.train()


def test_weights_of_another_kind_of_number_are_refused(copy):
    content = atomic_files.load_checked(copy / LAST)
    whole = {name: tensor.long() for name, tensor in content["model"].items()}
    atomic_files.save_checked(copy / LAST, content | {"model": whole})
    with pytest.raises(UserError, match=r"is torch\.int64, and the model has torch\.float32"):
        copy.train()


def test_temporary_files_of_ended_processes_are_removed_and_others_stay(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    here = platform.node()[:40]
    (tmp_path / "checkpoints").mkdir()
    left = tmp_path / f"checkpoints/.last.pt.{here}.{ended.pid}.tmp"
    kept = [tmp_path / f".x.json.{here}.1.tmp", tmp_path / ".x.pt.elsewhere.77.tmp"]
    kept += [tmp_path / ".my.tmp", tmp_path / "some.pt"]
    for path in (left, *kept):
        path.touch()
    atomic_files.remove_leftovers(tmp_path)
    assert not left.exists()
    assert all(path.exists() for path in kept)
    os.utime(kept[1], (0, 0))
    atomic_files.remove_leftovers(tmp_path)
    assert not kept[1].exists()


def test_a_full_disk_is_an_error_with_the_name_of_the_file_and_its_size(tmp_path):
    path = tmp_path / "some.pt"
    atomic_files.save_checked(path, {"number": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
        with pytest.raises(OSError, match="File too large") as error:
            atomic_files.save_checked(path, {"weight": torch.zeros(50_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.value.filename == str(path)
    assert error.value.needed == 200_000
    assert atomic_files.load_checked(path) == {"number": 1}
    assert list(tmp_path.iterdir()) == [path]
