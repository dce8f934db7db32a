"""``dlcourse share``: a copy that can be used and does not name its owner or machine."""

import getpass
import json
import os
import platform
import zipfile
from pathlib import Path

import pytest
import yaml

import dlcourse
from dlcourse.commands.share import main
from dlcourse.engine import private_texts
from dlcourse.engine.share import share_folder
from dlcourse.errors import UserError

TYPED = (
    "model=mlp", "model.widths=[4]", "data.examples=60", "max_epochs=2", "runtime=cpu",
    "observe=[console,history,tensorboard]", "note=a note of mine", "tags=[mine]",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the folder of a run in a folder whose names are searched for."""
    place = tmp_path_factory.mktemp("somebodys_folder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOMEBODY", str(place))
        patch.chdir(place)
        dlcourse.train(*TYPED, **{"data.root": str(place / "d")}, folder=place / "run", quiet=True)
        (place / "run/.last.pt.host.1.tmp").write_text("x")
        (place / "run/outside").symlink_to("/etc")
        with (place / "run/train.log").open("a") as file:
            file.write(f"{place}/own.py on {platform.node()}\n")
        yield place / "run"


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_copy_names_neither_folders_nor_the_host(run, tmp_path):
    shared = share_folder(run, tmp_path / "copy")
    files = bytes_of(tmp_path / "copy")
    private = ["somebodys_folder", os.getcwd()]
    private += [name for name in (platform.node(), getpass.getuser()) if len(name) > 4]
    for name, content in files.items():
        for text in private:
            assert text.encode() not in content, (name, text)
            assert text not in name
    control = b"".join(bytes_of(run).values())
    assert b"somebodys_folder" in control
    assert "outside" in shared.left_out
    assert ".last.pt.host.1.tmp" in shared.left_out
    assert {"result.json", "checkpoints/last.pt", "predictions.npz"} <= set(files)


def test_the_copy_is_opened_evaluated_reported_and_resumed(run, tmp_path):
    share_folder(run, tmp_path / "copy")
    old, new = dlcourse.load(run), dlcourse.load(tmp_path / "copy")
    assert new.result == old.result
    assert new.report() is not None
    again = dlcourse.train(resume=tmp_path / "copy", max_epochs=3, quiet=True)
    longer = dlcourse.train(*TYPED, max_epochs=3, folder=tmp_path / "longer", quiet=True)
    assert again.result["test"] == longer.result["test"]


def test_predictions_and_labels_can_be_left_out(run, tmp_path):
    share_folder(run, tmp_path / "copy", predictions=False, labels=False)
    files = bytes_of(tmp_path / "copy")
    assert "predictions.npz" not in files
    assert yaml.safe_load(files[".hydra/config.yaml"])["note"] is None
    assert not json.loads(files["result.json"]).get("note")
    assert b"a note of mine" not in files["checkpoints/last.pt"] + files[".hydra/overrides.yaml"]


def test_an_archive_has_the_files_of_the_folder_and_nothing_is_overwritten(run, tmp_path):
    share_folder(run, tmp_path / "copy")
    share_folder(run, tmp_path / "other/copy.zip")
    with zipfile.ZipFile(tmp_path / "other/copy.zip") as file:
        names = {name.removeprefix("copy/") for name in file.namelist()}
    assert names == set(bytes_of(tmp_path / "copy"))
    for target in ("copy", "other/copy.zip"):
        with pytest.raises(UserError, match="exists already"):
            share_folder(run, tmp_path / target)
    with pytest.raises(UserError, match="neither a run nor a sweep"):
        share_folder(tmp_path / "other", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_is_left_is_named(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MY_NAME_FOR_IT", "a note of mine")
    main([str(run), f"to={tmp_path / 'copy'}"])
    shown = capsys.readouterr().out
    assert ".hydra/config.yaml: the variable MY_NAME_FOR_IT" in shown
    assert "outside: a link to another place" in shown


@pytest.mark.parametrize("typed", [["no/such"], ["too=x"], ["labels=maybe"], []])
def test_wrong_arguments_get_a_message(run, typed):
    with pytest.raises(UserError):
        main([*([str(run)] if typed and "=" in typed[0] else []), *typed])


def test_a_name_is_found_as_a_whole_word_and_short_names_in_texts_alone():
    names = {"the user's name": "anna"}
    assert private_texts.neutral_text("/x/anna/y joanna", names) == "/x/user/y joanna"
    assert private_texts.found_in(b"hello anna", names) == ["the user's name"]
    assert private_texts.found_in(b"hello joanna", names) == []
    assert private_texts.found_in(b"\0 vm ", {"the host's name": "vm"}) == []
    assert private_texts.found_in(b"on vm ", {"the host's name": "vm"}) == ["the host's name"]
