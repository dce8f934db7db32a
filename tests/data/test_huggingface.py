"""Data sets of Hugging Face on disk, made by the library itself."""

import io

import datasets
import numpy as np
import pytest
import torch
from datasets import ClassLabel, DatasetDict, Features, List, Value
from datasets import Image as ImageFeature
from PIL import Image

from dlcourse.data.hub_images import file_content
from dlcourse.data.huggingface import huggingface
from dlcourse.data.image_file import Reading, read_image
from dlcourse.errors import UserError
from dlcourse.schema.validate import check

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

RANDOM = np.random.default_rng(0)
PIXELS = [RANDOM.integers(0, 256, (20, 20 + 4 * (n % 3), 3), np.uint8) for n in range(24)]
NAMES = ["cat", "dog", "emu"]


def png(pixels: np.ndarray) -> bytes:
    """Return the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def images(pixels, labels, feature=None):
    """Return a data set of images with the columns img and label."""
    features = Features({"img": ImageFeature(), "label": feature or ClassLabel(names=NAMES)})
    rows = {"img": [{"bytes": png(one), "path": None} for one in pixels], "label": labels}
    return datasets.Dataset.from_dict(rows, features=features)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Return a folder with several saved data sets."""
    top = tmp_path_factory.mktemp("sets")
    labels = [n % 3 for n in range(24)]
    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    whole = images(PIXELS, labels)
    parts = DatasetDict(
        train=images(PIXELS[:12], labels[:12]),
        validation=images(PIXELS[12:16], labels[12:16]),
        test=images(PIXELS[16:], labels[16:]),
        unlabelled=images(PIXELS[:3], [-1, 0, 1]),
    )
    parts.save_to_disk(top / "parts")
    whole.save_to_disk(top / "whole")
    several = [[n % 3, (n + 1) % 3] if n % 2 else [n % 3] for n in range(24)]
    images(PIXELS, several, List(ClassLabel(names=NAMES))).save_to_disk(top / "several")
    table = {
        "a": [float(n) for n in range(24)], "b": [n % 5 for n in range(24)],
        "text": ["x"] * 24, "kind": ["yes" if n % 2 else "no" for n in range(24)],
        "coarse": labels, "price": [n / 7 for n in range(24)],
    }  # fmt: skip
    features = Features(
        a=Value("float32"), b=Value("int64"), text=Value("string"), kind=Value("string"),
        coarse=ClassLabel(names=NAMES), price=Value("float64"),
    )  # fmt: skip
    datasets.Dataset.from_dict(table, features=features).save_to_disk(top / "table")
    (top / "files").mkdir()
    whole.to_parquet(top / "files/train.parquet")
    for number, pixels in enumerate(PIXELS[:8]):
        folder = top / "folders/train" / NAMES[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    if not bars:
        datasets.enable_progress_bars()
    return top


def load(root, path, **options):
    defaults = {
        "name": None, "train_split": "train", "val_split": "auto", "test_split": "auto",
        "test_fraction": 0.25, "label_column": None, "image_column": None,
        "task": "classification", "size": 16, "channels": 3, "fit": "crop", "fill": 0,
        "memory": 1.0, "workers": 0,
    }  # fmt: skip
    return huggingface(root=root, seed=0, path=path, **defaults | options)


def pixels_of(number, tmp_path, **options):
    """Return what ``image_folder`` reads of an image."""
    path = tmp_path / f"{number}.png"
    path.write_bytes(png(PIXELS[number]))
    return read_image(path, Reading(16, 3, **options))


def test_splits_images_and_names_of_classes_are_read(root, tmp_path):
    dataset = load(root, "parts")
    assert (len(dataset.train), dataset.ready_val, len(dataset.test)) == (16, 4, 8)
    assert dataset.classes == tuple(NAMES)
    assert dataset.train.targets.tolist() == [n % 3 for n in range(16)]
    assert dataset.test.targets.tolist() == [n % 3 for n in range(16, 24)]
    for number in (0, 11, 15):
        assert np.array_equal(dataset.train.inputs[number], pixels_of(number, tmp_path))
    assert np.array_equal(dataset.test.inputs[0], pixels_of(16, tmp_path))
    assert len(set(dataset.train.contents.tolist())) == 16


def test_images_are_made_square_as_data_fit_says_and_cached_apart(root, tmp_path):
    boxed = load(root, "parts", fit="letterbox", fill=200)
    assert np.array_equal(boxed.train.inputs[2], pixels_of(2, tmp_path, fit="letterbox", fill=200))
    assert torch.equal(
        load(root, "parts", fit="letterbox", fill=200).train.inputs, boxed.train.inputs
    )
    assert not torch.equal(load(root, "parts").train.inputs, boxed.train.inputs)
    assert load(root, "parts", channels=1, size=8).input_shape == (1, 8, 8)


def test_splits_can_be_named_or_left_out(root):
    dataset = load(root, "parts", val_split=None, test_split="validation")
    assert (len(dataset.train), dataset.ready_val, len(dataset.test)) == (12, 0, 4)
    whole = load(root, "whole")
    assert (len(whole.train), len(whole.test)) == (18, 6)
    assert whole.test.targets.bincount().tolist() == [2, 2, 2]
    assert torch.equal(whole.test.inputs, load(root, "whole").test.inputs)


@pytest.mark.parametrize(("path", "rows"), [("files", 18), ("folders", 6)])
def test_folders_of_files_are_read_offline(path, rows, root):
    dataset = load(root, path)
    assert len(dataset.train) == rows
    assert dataset.input_shape == (3, 16, 16)


def test_columns_of_numbers_are_features(root):
    dataset = load(root, "table", label_column="kind")
    assert dataset.features == ("a", "b", "price")
    assert dataset.classes == ("no", "yes")
    values = load(root, "table", label_column="price", task="regression")
    assert values.features == ("a", "b")
    assert values.target_names == ("price",)
    assert values.train.targets[:, 0].tolist() == pytest.approx(
        (values.train.inputs[:, 0] / 7).tolist()
    )
    assert load(root, "table").classes == tuple(NAMES)


def test_lists_of_classes_are_several_classes_for_each_example(root):
    dataset = load(root, "several", task="multilabel", test_fraction=0.5)
    assert dataset.task == "multilabel"
    assert dataset.train.targets.sum(1).unique().tolist() == [1, 2]
    with pytest.raises(UserError, match=r"data\.task=multilabel"):
        load(root, "several")


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("nope", {}, r"does not exist.*data\.path"),
        (".", {}, "cannot be read"),
        ("parts", {"train_split": "trian"}, r"did you mean train\?.*data\.train_split"),
        ("parts", {"val_split": "test"}, r"another part as well"),
        ("parts", {"test_split": "unlabelled"}, r"1 rows have no label, the first is row 0"),
        ("parts", {"label_column": "lable"}, r"did you mean label\?"),
        ("parts", {"image_column": "label"}, "holds ClassLabel and not images"),
        ("parts", {"memory": 1e-6}, r"data\.memory=1e-06"),
        ("whole", {"test_fraction": 0.001}, r"data\.test_fraction"),
        ("table", {"label_column": "price"}, r"data\.task=regression"),
    ],
)
def test_what_is_not_there_is_refused_with_what_to_type(path, options, message, root):
    with pytest.raises(UserError, match=f"(?s){message}"):
        load(root, path, **options)


def test_an_image_that_is_damaged_or_missing_is_named_by_its_row(tmp_path):
    rows = {"img": [{"bytes": b"no image", "path": None}] + [
        {"bytes": png(PIXELS[0]), "path": None}] * 5, "label": [0, 1] * 3}  # fmt: skip
    features = Features({"img": ImageFeature(), "label": ClassLabel(names=NAMES[:2])})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "damaged")
    with pytest.raises(UserError, match=r"in row 0, column img cannot be read"):
        load(tmp_path, "damaged")
    with pytest.raises(UserError, match=r"gone\.png, which cannot be read"):
        file_content(str(tmp_path / "gone.png"), "in row 0")
    rows["img"][0] = None
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "none")
    with pytest.raises(UserError, match="There is no image in row 0"):
        load(tmp_path, "none")


def test_without_the_library_one_message_names_the_extra(compose, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"pip install 'dlcourse\[huggingface\]'"):
        check(compose("data=huggingface"))
