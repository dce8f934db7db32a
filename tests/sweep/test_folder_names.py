"""The names of jobs' folders."""

import itertools
import re
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings

from dlcourse.sweep.job import MAX_NAME_LENGTH, FolderNames, Job, short_keys


def test_a_key_is_shortened_to_its_last_part():
    names = FolderNames(["optim", "optim.lr", "+model.speed"])
    overrides = ("optim=sgd", "optim.lr=0.1", "+model.speed=2")
    assert names.name(overrides) == "speed-2_optim-sgd_lr-0.1"
    assert names.name(()) == "defaults"


def test_keys_with_the_same_last_part_are_kept_whole():
    assert short_keys(["seed", "split.seed", "optim.lr", "optim.lr"]) == {
        "seed": "seed",
        "split.seed": "split.seed",
        "optim.lr": "lr",
    }
    names = FolderNames(["stop.patience", "schedule.patience"])
    overrides = ("stop.patience=3", "schedule.patience=4")
    assert names.name(overrides) == "schedule.patience-4_stop.patience-3"


def test_the_brackets_of_lists_are_removed():
    names = FolderNames(["model.widths", "optim.lr"])
    assert names.name(("model.widths=[64,32]", "optim.lr=1e-05")) == "widths-64-32_lr-1e-05"


def test_the_order_of_the_overrides_makes_no_difference():
    overrides = ("optim=sgd", "optim.lr=0.1", "seed=3", "model.widths=[8]")
    keys = [override.partition("=")[0] for override in overrides]
    folders = {FolderNames(keys).name(order) for order in itertools.permutations(overrides)}
    assert len(folders) == 1


def test_names_that_would_collide_get_digests():
    names = FolderNames(["data.file"])
    points = [(f"data.file={path}",) for path in ("a/b", "a-b", "a//b", "'a/b'")]
    folders = [names.name(point) for point in points]
    assert len(set(folders)) == 4
    assert folders[0] == "file-a-b"
    assert all(re.fullmatch(r"file-a-b-[0-9a-f]{8}", name) for name in folders[1:])
    assert [names.name(point) for point in points] == folders


def test_a_long_name_is_cut_and_gets_a_digest():
    names = FolderNames(["model.widths"])
    long = ",".join(["128"] * 60)
    first, second = (names.name((f"model.widths=[{long},{end}]",)) for end in (1, 2))
    assert first != second
    assert first[:MAX_NAME_LENGTH] == second[:MAX_NAME_LENGTH]
    assert len(first) == MAX_NAME_LENGTH + 9
    assert FolderNames(["model.widths"]).name((f"model.widths=[{long},1]",)) == first


overrides = st.text(min_size=1, max_size=200).map(lambda value: (f"model.name={value}",))


@settings(max_examples=40)
@given(st.lists(overrides, unique=True, max_size=20))
def test_every_name_is_a_valid_folder_name_and_no_two_are_equal(points):
    names = FolderNames(["model.name"])
    folders = [names.name(point) for point in points]
    assert len(set(folders)) == len(points)
    for name in folders:
        assert re.fullmatch(r"[\w.-]+", name)
        assert name not in (".", "..")
        assert not name.startswith(("-", "."))
        assert len(name) <= MAX_NAME_LENGTH + 9


def test_a_name_used_by_an_earlier_command_is_not_given_to_another_point():
    names = FolderNames(["data.file"])
    names.keep("file-a-b", ("data.file=a/b",))
    assert names.name(("data.file=a-b",)) != "file-a-b"
    assert names.name(("data.file=a/b",)) == "file-a-b"


def test_the_label_of_a_job_has_its_overrides_without_hydras_backslashes():
    overrides = (r"model.activation=leaky_relu\:0.1", r"data.folder=a\ \(b\)", "model.widths=[3,4]")
    label = "model.activation=leaky_relu:0.1 data.folder=a (b) model.widths=[3,4]"
    assert Job(overrides, Path("x"), None, {}).label == label
