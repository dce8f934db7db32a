"""``dlcourse shapes``: the table of a model's layers, from the overrides of a run alone."""

import re

import pytest

from dlcourse.commands.shapes import main, training_share
from dlcourse.engine.datasets import load_data
from dlcourse.schema.facts import example_shape


@pytest.fixture
def shapes(monkeypatch, capsys, tmp_path):
    """Return a function from overrides to what the command prints, where no data exist."""
    monkeypatch.chdir(tmp_path)

    def printed(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["dlcourse shapes"])
        main(["data.root=nowhere", *arguments])
        assert list(tmp_path.iterdir()) == []
        return capsys.readouterr().out

    return printed


def test_lenets_table_and_totals_are_right(shapes):
    text = shapes("batch_size=100")
    row = next(line for line in text.splitlines() if "features.3" in line)
    cells = re.split(r"\s*[│|]\s*", row.strip("│ "))
    assert cells == [
        "features.3",
        "Conv2d",
        "16 x 10 x 10",
        "2,416",
        "240,000",
        "14",
        "2",
        "6.2 KiB",
    ]
    assert "11 layers" in text
    assert "LeNet5: 1 x 28 x 28 in, 10 out" in text
    assert "61,706 parameters, of which 61,706 learn" in text
    assert "416,520 multiply-adds forward for one example" in text
    assert "largest receptive field: 16 pixels" in text
    weights, saved = 61_706 * 4 / 1024, 47.0
    forward = 4 * (784 + 4704 + 1176) + 8 * 1176  # image, maps, pooled maps and their indices
    in_use, training = re.findall(r"memory for a batch of 100 in \w+: ([\d.]+) MiB", text)
    assert forward / 1024 == pytest.approx(35.2, abs=0.1)
    assert float(in_use) == pytest.approx((weights + 100 * 35.2) / 1024, abs=0.1)
    assert float(training) == pytest.approx((4 * weights + 100 * saved) / 1024, abs=0.1)


def test_a_large_net_on_large_images_needs_no_download_and_no_memory(shapes):
    text = shapes("data=cifar10", "data.size=224", "model=alexnet", "batch_size=full", "optim=sgd")
    assert "AlexNet: 3 x 224 x 224 in, 10 out" in text
    assert "largest receptive field: 195 pixels" in text
    assert "a batch of 40,000 in training" in text


def test_frozen_parameters_are_not_trained_and_averaged_weights_count(shapes):
    text = shapes("optim.freeze=[features.*]", "average=ema")
    assert "61,706 parameters, of which 59,134 learn" in text
    assert "averaged weights 241.0 KiB" in text


def test_a_batch_in_pieces_keeps_the_outputs_of_one_piece(shapes):
    text = shapes("model=lenet", "data=digits", "batch_size=100", "accumulate=3")
    assert "memory for a batch of 100 in pieces of 34 in training: " in text
    assert re.search(r"\+ 34 x [\d.]+ KiB kept for backward", text)


def test_the_state_of_lbfgs_is_reported_as_unknown(shapes):
    assert "the optimizer's state is not known" in shapes("optim=lbfgs", "model=linear")


@pytest.mark.parametrize("name", ["moons", "sine"])
def test_generated_data_are_generated_for_their_shape(name, shapes):
    text = shapes(f"data={name}")
    assert "largest receptive field" not in text
    assert {"moons": "MLP: 2 in, 2 out", "sine": "MLP: 1 in, 1 out"}[name] in text


@pytest.mark.parametrize(
    "more", [[], ["data.size=16", "data.channels=3"], ["data.reconstruct=true"]]
)
def test_the_shape_known_before_loading_is_that_of_the_data(more, compose):
    cfg = compose("data=digits", *more)
    dataset = load_data(cfg)
    assert example_shape(cfg) == (dataset.input_shape, dataset.output_size)


def test_the_number_of_classes_known_before_loading_is_that_of_the_source(compose):
    from dlcourse.data.emnist import PART_CLASSES

    config = compose("data=emnist")
    for part, classes in PART_CLASSES.items():
        config["data"]["part"] = part
        assert example_shape(config) == ((1, 28, 28), len(classes))
    assert example_shape(compose("data=cifar100")) == ((3, 32, 32), 100)
    assert example_shape(compose("data=notmnist")) == ((1, 28, 28), 10)
    assert example_shape(compose("data=gates")) is None


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["model=lenett"], "did you mean lenet"),
        (["data.size=8"], "data.size=28"),
        (["-m", "model=lenet,mlp"], "-m is not for shapes"),
    ],
)
def test_a_wrong_option_gets_one_message(arguments, named, command):
    ended = command(*arguments, script="scripts/shapes.py")
    assert ended.returncode == 2
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_nested_run_trains_on_the_data_outside_its_outer_and_inner_fold():
    assert training_share({"split": {"outer": 5, "inner": 4}}, 100) == 60
