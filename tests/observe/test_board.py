"""TensorBoard shows the measurements, the layout, the command, PR curves and an embedding."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import average_precision_score
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.pr_curve.metadata import PLUGIN_NAME

from dlcourse import core
from dlcourse.core import Dataset, Split
from dlcourse.engine.run import run
from dlcourse.observe.board_embedding import square_thumbnails
from dlcourse.observe.board_layout import board_layout
from dlcourse.observe.board_measurements import curve_points, raw_histogram
from dlcourse.observe.board_pr_curves import pr_curves


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Return a finished run with diagnostics in TensorBoard: its folder and its events."""
    from dlcourse.schema.compose import compose_job, without_hydra

    folder = tmp_path_factory.mktemp("board")
    overrides = [
        f"data.root={folder}/data", "data.examples=60", "max_epochs=2", "model=lenet",
        "observe=[tensorboard,diagnostics]", "observe.diagnostics.histograms=true",
        "observe.tensorboard.embedding=30", "observe.tensorboard.pr_classes=3", "batch_size=16",
        "runtime=cpu",
    ]  # fmt: skip
    run(without_hydra(compose_job(overrides, None)), folder / "run", ["model=lenet", "seed=0"])
    reader = EventAccumulator(str(folder / "run"), size_guidance={"tensors": 0, "scalars": 0})
    reader.Reload()
    return folder / "run", reader


def test_the_measurements_are_curves_over_the_steps(shown):
    folder, reader = shown
    lines = [json.loads(line) for line in (folder / "diagnostics.jsonl").read_text().splitlines()]
    measured = [line for line in lines if "layers" in line]
    curve = reader.Scalars("within/gradient norm/features.0")
    assert [event.step for event in curve] == [line["step"] for line in measured] == [0, 3, 6]
    expected = [line["layers"]["features.0"]["gradient"] for line in measured]
    assert [event.value for event in curve] == pytest.approx(expected)
    losses = [loss for line in lines if "losses" in line for loss in line["losses"]]
    steps = reader.Scalars("within/loss of each step")
    assert [event.value for event in steps] == pytest.approx(losses)
    assert "weights/classifier.0" in reader.Tags()["tensors"] + reader.Tags()["histograms"]


def test_the_custom_scalars_put_train_and_validation_in_one_chart(shown):
    _, reader = shown
    (event,) = reader.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout()
    layout.ParseFromString(event.tensor_proto.string_val[0])
    titles = [category.title for category in layout.category]
    assert titles[0] == "1 training and validation"
    assert titles[-1] == "4 within the network"
    loss, accuracy = layout.category[0].chart[:2]
    assert list(loss.multiline.tag) == ["^train/loss$", "^val/loss$"]
    assert accuracy.title == "accuracy"


def test_the_text_tab_has_the_command_and_the_config(shown):
    _, reader = shown
    texts = {
        tag: reader.Tensors(tag)[0].tensor_proto.string_val[0].decode()
        for tag in reader.Tags()["tensors"]
        if tag.startswith("run/")
    }
    assert "dlcourse train \\\n        model=lenet" in texts["run/1 command/text_summary"]
    assert "    max_epochs: 2" in texts["run/3 config/text_summary"]


def test_pr_curves_are_written_for_the_classes_with_the_lowest_recall(shown):
    _, reader = shown
    tags = [
        tag for tag, data in reader.summary_metadata.items()
        if data.plugin_data.plugin_name == PLUGIN_NAME
    ]  # fmt: skip
    assert len(tags) == 3
    assert all(tag.startswith("class/") for tag in tags)


def test_the_embedding_has_a_row_a_class_and_a_thumbnail_for_each_example(shown):
    folder, _ = shown
    features = np.loadtxt(folder / "projector/features.tsv")
    assert features.shape == (30, 84)
    header, *rows = (folder / "projector/classes.tsv").read_text().splitlines()
    assert header == "class\tpredicted\tcorrect"
    assert len(rows) == 30
    config = (folder / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "projector/features.tsv"' in config
    assert "single_image_dim: 28" in config
    with Image.open(folder / "projector/images.png") as image:
        assert image.size == (6 * 28, 6 * 28)


def test_the_projector_of_tensorboard_reads_the_files(shown):
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    folder, _ = shown
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    for path in (embedding.tensor_path, embedding.metadata_path, embedding.sprite.image_path):
        assert (folder / path).exists()


def test_without_diagnostics_there_are_no_curves_of_layers():
    layout = board_layout(["train/loss", "val/loss", "lr"], "val/loss", [])
    assert list(layout) == ["1 training and validation", "2 learning rate"]


def test_a_long_epoch_has_at_most_100_points_with_the_mean_losses():
    line = {"epoch": 2, "losses": [float(n) for n in range(250)], "rates": [0.1] * 250}
    points = [point for point in curve_points(line, 250) if "loss" in point.tag]
    assert len(points) == 84
    assert (points[0].value, points[0].step) == (1.0, 253)
    assert points[-1].step == 500


def test_a_histogram_keeps_its_number_and_its_mean():
    found = raw_histogram(-1.0, 1.0, [1.0, 2.0, 1.0, 0.0])
    assert found["bucket_limits"] == [-0.5, 0.0, 0.5, 1.0]
    assert (found["num"], found["sum"]) == (4.0, -1.0)
    assert raw_histogram(0.0, 0.0, [5.0])["num"] == 5.0


def test_probabilities_of_the_pr_curves_are_those_of_the_loss():
    outputs, targets = torch.randn(50, 3), torch.arange(50) % 3
    split = Split(torch.zeros(50, 2), targets)
    tested = core.FinalTest(
        Dataset("d", split, split, ("a", "b", "c")), outputs, targets, "softmax"
    )
    found = {tag: (labels, shares) for tag, labels, shares in pr_curves(tested, 20)}
    assert list(found) == ["class/a", "class/b", "class/c"]
    labels, shares = found["class/b"]
    expected = average_precision_score(targets == 1, outputs.softmax(1)[:, 1])
    assert average_precision_score(labels, shares) == pytest.approx(expected)
    scores = core.FinalTest(tested.dataset, outputs, targets, "scores")
    assert list(pr_curves(scores, 20)) == []


@pytest.mark.parametrize("shape", [(1, 20, 31), (3, 100, 60), (3, 32, 32)])
def test_thumbnails_are_squares_in_colour(shape):
    images = torch.randint(0, 256, (4, *shape), dtype=torch.uint8)
    side = min(max(shape[1:]), 48)
    assert square_thumbnails(images).shape == (4, 3, side, side)


def test_a_board_without_a_config_has_no_texts(tmp_path):
    from dlcourse.observe.board_text import run_texts

    assert run_texts(tmp_path) == {}
