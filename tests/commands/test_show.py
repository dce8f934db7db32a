"""The contact sheet: drawn from the overrides of a run, each time into a new folder."""

import sys

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dlcourse.commands.main import run_command
from dlcourse.core import Dataset, Split
from dlcourse.preview import data as sheet


@pytest.fixture
def show(tmp_path, data_root, monkeypatch):
    """Return a function that runs ``dlcourse show`` in an empty folder and returns its figure."""
    monkeypatch.chdir(tmp_path)
    figures, write = [], sheet.write_sheet

    def write_and_keep(figure, name):
        figures.append(figure)
        return write(figure, name)

    monkeypatch.setattr(sheet, "write_sheet", write_and_keep)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["dlcourse show", f"data.root={data_root}", *arguments])
        run_command("show")
        return figures[-1]

    return run


def below(figure):
    return [axes.get_xlabel() for axes in figure.axes]


def shown(figure):
    return [axes.get_images()[0].get_array() for axes in figure.axes]


def test_a_sheet_has_a_row_for_each_example_and_a_column_for_each_draw(show, tmp_path, capsys):
    figure = show("augment=[crop,flip]", "examples=3", "draws=2")
    assert len(figure.axes) == 3 * 3
    names = below(figure)
    assert names[0::3] == names[1::3] == names[2::3]
    assert set(names) <= set("0123456789")
    assert "'augment=[crop,flip]' examples=3 draws=2" in figure.get_suptitle().replace("\n", " ")
    (folder,) = (tmp_path / "outputs/show").iterdir()
    assert folder.name.endswith("-digits_crop-flip")
    assert f"{folder.relative_to(tmp_path)}/contact_sheet.png" in capsys.readouterr().out
    with Image.open(folder / "contact_sheet.png") as image:
        assert image.width > 400
    reader = EventAccumulator(str(folder / "tensorboard"))
    reader.Reload()
    assert reader.Tags()["images"] == ["contact_sheet"]


def test_the_first_column_is_the_data_and_the_others_are_augmented_as_in_training(show, compose):
    from dlcourse.engine.datasets import load_data

    images = load_data(compose()).train.inputs[:, 0]
    drawn = shown(show("augment=flip", "augment.flip.probability=1", "examples=2", "draws=1"))
    for before, after in zip(drawn[0::2], drawn[1::2], strict=True):
        before, after = torch.as_tensor(before), torch.as_tensor(after)
        assert (images == before).flatten(1).all(1).any()
        assert torch.equal(after, before.flip(-1))


def test_the_same_seed_draws_the_same_sheet_and_another_seed_another(show, tmp_path):
    arguments = ["augment=affine", "examples=2", "draws=2"]
    first, again, other = (shown(show(*arguments, f"seed={seed}")) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not all((a == b).all() for a, b in zip(first, other, strict=True))
    assert len(list((tmp_path / "outputs/show").iterdir())) == 3


def test_mixed_targets_are_labelled_in_percent(show):
    names = below(show("augment=mixup", "examples=4", "draws=3"))
    mixed = [name for name in names if "%" in name]
    assert len(mixed) == 12
    assert any(name.count("\n") == 1 for name in mixed)


def test_without_augmentation_every_column_is_the_same(show):
    before, after = shown(show("augment=none", "examples=1", "draws=1"))
    assert (before == after).all()


@pytest.mark.parametrize(
    "arguments", [["data=moons", "augment=mixup"], ["data=sine", "augment=noise"]]
)
def test_points_are_drawn_as_points(arguments, show):
    figure = show(*arguments, "draws=3", "examples=40")
    assert len([axes for axes in figure.axes if axes.collections]) == 4
    assert len(figure.axes[0].collections[0].get_offsets()) == 40


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["draws=0"], "draws=0 is not allowed"),
        (["examples=many"], "examples=many is not allowed"),
        (["data.examples=10", "examples=11"], "examples=10 or less"),
        (["augment=flop"], "did you mean flip"),
        (["data=moons", "augment=flip"], "is for images"),
        (["-m", "seed=1,2"], "-m is not for a contact sheet"),
        (["--config-dir", "no/such"], "no/such"),
    ],
)
def test_a_wrong_option_gets_one_message(arguments, named, show, capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        show(*arguments)
    assert ended.value.code == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / "outputs").exists()


def made_up(monkeypatch, dataset):
    import dlcourse.engine.datasets

    monkeypatch.setattr(dlcourse.engine.datasets, "load_data", lambda cfg: dataset)


def test_colour_images_and_mixed_regression_targets_are_shown(show, monkeypatch):
    images = torch.randint(256, (20, 3, 30, 40), dtype=torch.uint8)
    part = Split(images, torch.arange(20.0).view(-1, 1))
    made_up(monkeypatch, Dataset("angles", part, part))
    figure = show("augment=cutmix", "examples=2", "draws=2")
    assert shown(figure)[0].shape == (30, 40, 3)
    assert float(below(figure)[0]) in range(20)
    assert any(not float(name).is_integer() for name in below(figure))


def test_a_table_of_many_features_is_refused_with_a_message(show, capsys, monkeypatch):
    part = Split(torch.zeros(20, 5), torch.zeros(20, 1))
    made_up(monkeypatch, Dataset("wide", part, part))
    with pytest.raises(SystemExit) as ended:
        show("data=sine", "augment=noise")
    assert ended.value.code == 2
    assert "a table of 5 features" in capsys.readouterr().err


def test_the_command_has_help(show, capsys):
    with pytest.raises(IndexError):  # no figure was drawn
        show("--help")
    assert "dlcourse show" in capsys.readouterr().out
