"""``dlcourse look``: its files, TensorBoard, its messages, and a run that is resumed afterwards."""

import sys

import pytest
from conftest import TINY, composed
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dlcourse.commands.look import help_for
from dlcourse.commands.main import run_command
from dlcourse.engine.run import run
from dlcourse.look.files import file_name
from dlcourse.look.registry import WHATS


@pytest.fixture(scope="module")
def folder(tmp_path_factory, data_root):
    """Return the folder of a run with event files."""
    folder = tmp_path_factory.mktemp("looked") / "lr=0.1,optim=sgd"
    run(composed(f"data.root={data_root}", *TINY, "model=lenet", "observe=[tensorboard]"), folder)
    return folder


@pytest.fixture
def look(folder, monkeypatch, capsys):
    """Return a function that runs ``dlcourse look <run> ...`` and returns what it prints."""

    def printed(*arguments, run=folder):
        monkeypatch.setattr(sys, "argv", ["dlcourse look", str(run), *arguments])
        run_command("look")
        return capsys.readouterr().out

    return printed


@pytest.fixture
def refused(look, capsys):
    """Return a function that runs ``dlcourse look``, which must end with exit status 2."""

    def message(*arguments, **more):
        with pytest.raises(SystemExit) as ended:
            look(*arguments, **more)
        assert ended.value.code == 2
        return capsys.readouterr().err

    return message


def images_in_tensorboard(folder):
    events = EventAccumulator(str(folder), size_guidance={"images": 0})
    events.Reload()
    return events.Tags()["images"], events


def test_each_what_leaves_an_image_in_the_folder_and_in_tensorboard(look, folder):
    text = look("what=filters,maps", "images=3,5")
    names = ["filters-features.0", "maps-features.0-images_3,5"]
    lines = text.splitlines()
    for name, path, seen in zip(names, lines[::2], lines[1::2], strict=True):
        assert path.endswith(f"look/{name}.png")
        assert seen.startswith("  features.0: 6 ")
        with Image.open(folder / f"look/{name}.png") as image:
            size = image.size
        tags, events = images_in_tensorboard(folder)
        assert f"look/{name}" in tags
        (event,) = events.Images(f"look/{name}")
        assert (event.width, event.height) == size
        assert 1 <= event.step <= 2
    look("what=filters")
    assert len(images_in_tensorboard(folder)[1].Images("look/filters-features.0")) == 1


def test_a_run_is_resumed_with_a_later_end_after_it_was_looked_at(look, tmp_path, data_root):
    options = [f"data.root={data_root}", *TINY, "observe=[tensorboard]", "model=mlp"]
    looked, other = tmp_path / "looked", tmp_path / "other"
    for place in (looked, other):
        run(composed(*options), place)
    look("what=filters", run=looked)
    for place in (looked, other):
        run(composed(*options, "max_epochs=3"), place, overrides=["max_epochs=3"])
    tags, events = images_in_tensorboard(looked)
    assert "look/filters-hidden.0" in tags
    assert [event.step for event in events.Scalars("val/loss")] == [1, 2, 3]
    weights = [(place / "checkpoints/last.pt").stat().st_size for place in (looked, other)]
    assert weights[0] == weights[1]
    assert (
        events.Scalars("val/loss")[-1].value
        == images_in_tensorboard(other)[1].Scalars("val/loss")[-1].value
    )


def test_all_draws_what_there_is_and_names_what_there_is_not(look, monkeypatch):
    few = {name: WHATS[name] for name in ("filters", "attention")}
    monkeypatch.setattr("dlcourse.look.registry.WHATS", few)
    text = look("what=all")
    assert "look/filters-features.0.png" in text
    assert "not drawn: what=attention needs attention, such as that of model=vit" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["what=map"], ["what=map is not there; did you mean maps?", "what=filters "]),
        (["what=maps", "layer=conv1"], ["layer=conv1 is not there", "features.3 (Conv2d, 16 x 10"]),
        (["what=maps", "layer=classifier.0"], ["(Linear, 120) is not a layer of maps"]),
        (["what=attention"], ["what=attention needs attention, such as that of model=vit"]),
        (["what=maps", "images=none.png"], ["The image none.png does not exist", "images=<file"]),
        (["what=maps", "images=99999"], ["numbered from 0 to 359"]),
        (["what=saliency", "class=10"], ["class=10 is not there", "0, 1, 2, 3", "from 0 to 9"]),
        (["what=filters", "class=1"], ["class=1 is no option of what=filters", "saliency"]),
        (["what=maximise", "layer=classifier.4", "unit=10"], ["unit=10 does not exist", "0 to 9"]),
        (["what=maps", "examples=0"], ["examples=0 is not allowed", "of at least 1"]),
        (["what=maps", "fold=1"], ["fold=1 does not exist", "has no folds"]),
        (["layer=conv1"], ["what= is missing"]),
    ],
)  # fmt: skip
def test_a_wrong_option_gets_one_message_that_lists_what_is_allowed(refused, arguments, expected):
    text = refused(*arguments)
    assert text.startswith("dlcourse: ")
    assert all(part in text for part in expected), text


def test_an_unfinished_run_and_other_folders_are_refused(refused, folder, tmp_path):
    assert "does not exist" in refused("what=filters", run=tmp_path / "none")
    assert "is not a run's folder" in refused("what=filters", run=tmp_path)
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra/config.yaml").write_text((folder / ".hydra/config.yaml").read_text())
    text = refused("what=filters", run=tmp_path)
    assert "holds no finished run: result.json is not in it" in text
    assert "resume=" in text


def test_a_fold_is_looked_at_in_its_own_folder(look, refused, tmp_path, data_root):
    options = [f"data.root={data_root}", *TINY, "split=kfold", "split.folds=2", "model=mlp"]
    run(composed(*options), tmp_path)
    assert "fold0/look/filters-hidden.0.png" in look("what=filters", run=tmp_path)
    assert "fold1/look/filters-hidden.0.png" in look("what=filters", "fold=1", run=tmp_path)
    assert "fold=2 does not exist. Allowed: 0, 1" in refused("what=filters", "fold=2", run=tmp_path)


def test_the_help_lists_every_what_and_each_one_its_options():
    text = help_for(["--help"])
    assert all(f"what={name}" in text for name in WHATS)
    for name, what in WHATS.items():
        own = help_for(["--help", f"what={name}"])
        assert all(f"  {option}=" in own for option in what.options)


def test_files_of_different_looks_have_different_names():
    names = {
        file_name("maps", "features.0", {}),
        file_name("maps", "features.0", {"images": "3"}),
        file_name("maps", "features.0", {"images": "3,4"}),
        file_name("maps", "features.0", {"images": "a/b.png"}),
        file_name("maps", "features.0", {"images": "a_b.png"}),
        file_name("maps", "features.0", {"images": "long" * 100}),
        file_name("maps", "features.0", {"images": "long" * 100 + "er"}),
    }
    assert len(names) == 7
    assert max(map(len, names)) < 130
    assert file_name("maps", "features.0", {"class": "3"}) == "maps-features.0"
    assert file_name("maps", "features.0", {"layer": "features.0"}) == "maps-features.0"
