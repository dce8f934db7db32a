"""Every part of ``dlcourse show`` writes its plots as PNG and SVG into a new folder."""

import sys

import pytest
from PIL import Image

from dlcourse.commands.main import run_command
from dlcourse.preview.kinds import KINDS


@pytest.mark.parametrize(
    "arguments",
    [
        ["what=schedule", "schedule=cosine", "optim.freeze_until=[features.*:3]"],
        ["what=gradient"],
        ["what=kernels", "kernel=blur"],
        ["what=activation", "activation=relu"],
    ],
)
def test_plots_are_written_next_to_each_other(arguments, tmp_path, data_root, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLCOURSE_DATA", str(data_root))
    monkeypatch.setattr(sys, "argv", ["dlcourse show", *arguments])
    run_command("show")
    (folder,) = (tmp_path / "outputs/show").iterdir()
    name = arguments[0].removeprefix("what=")
    assert {path.name for path in folder.iterdir()} == {f"{name}.png", f"{name}.svg"}
    assert f"{folder.relative_to(tmp_path)}/{name}.png" in capsys.readouterr().out
    with Image.open(folder / f"{name}.png") as image:
        assert image.width > 400


def test_an_unknown_part_is_refused_with_a_list_of_all(refused):
    message = refused("what=scedule")
    assert "did you mean schedule?" in message
    assert all(f"what={name}" in message for name in KINDS)


@pytest.mark.parametrize("what", ["", *KINDS])
def test_every_part_explains_its_options(what, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["dlcourse show", *([f"what={what}"] if what else []), "--help"]
    )
    run_command("show")
    text = capsys.readouterr().out
    assert "dlcourse show" in text or "show.py" in text
    assert "outputs/show/" in text
