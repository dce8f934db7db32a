"""Arrays of numpy as a data set: a file, or what a user's function returns."""

import logging
import sys

import numpy as np
import pytest
import torch
from conftest import composed
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch.utils.data import TensorDataset

from dlcourse.core import Dataset
from dlcourse.data.array_inputs import all_inputs
from dlcourse.data.array_targets import all_targets
from dlcourse.data.function import check_call_of, function
from dlcourse.data.npz import npz
from dlcourse.errors import UserError
from dlcourse.schema.trust import check_trust, to_type

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (12, 8, 6, 3), np.uint8)  # (N, H, W, C)
ROWS = RANDOM.normal(size=(40, 3))
LABELS = np.arange(40) % 4


def load(path, **options):
    defaults = {"inputs": None, "targets": None, "task": "classification", "layout": "auto",
                "test_fraction": 0.25}  # fmt: skip
    return npz(root=path.parent, seed=0, file=path.name, **defaults | options)


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "my.npz", **arrays)
    return tmp_path / "my.npz"


def made(returned, **options):
    defaults = {"options": None, "task": "classification", "layout": "auto", "test_fraction": 0.25}
    return function(root=None, seed=0, function=lambda: returned, **defaults | options)


def test_rows_are_features_and_a_quarter_of_every_class_is_the_test_part(tmp_path):
    dataset = load(saved(tmp_path, x=ROWS, y=LABELS))
    assert dataset.input_shape == (3,)
    assert dataset.classes == ("0", "1", "2", "3")
    assert dataset.test.targets.bincount().tolist() == [3, 3, 2, 2]
    rows = torch.cat([dataset.train.inputs, dataset.test.inputs])
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, ROWS.astype("f").tolist()))
    again = load(tmp_path / "my.npz")
    assert torch.equal(dataset.test.inputs, again.test.inputs)


@pytest.mark.parametrize(
    ("images", "layout"),
    [
        (IMAGES, "auto"),
        (IMAGES.transpose(0, 3, 1, 2), "auto"),
        (IMAGES / 255, "auto"),
        ((IMAGES / 255).astype(np.float32), "nhwc"),
        (IMAGES.astype(np.int64), "auto"),
        (torch.from_numpy(IMAGES).permute(0, 3, 1, 2) / 255, "nchw"),
    ],
    ids=["uint8 nhwc", "nchw", "float64 to 1", "float32 to 1", "int64", "tensor"],
)
def test_every_usual_form_of_the_same_images_gives_the_same_bytes(images, layout):
    (inputs,) = all_inputs({"x": images}, layout)
    assert inputs.dtype == torch.uint8
    assert np.array_equal(inputs.numpy(), IMAGES.transpose(0, 3, 1, 2))


def test_images_that_are_no_bytes_keep_their_digits():
    fine = IMAGES[..., 0] / 255 * 0.999
    (inputs,) = all_inputs({"x": fine}, "auto")
    assert inputs.shape == (12, 1, 8, 6)
    assert inputs.dtype == torch.float32
    assert np.allclose(inputs[:, 0], fine * 255, rtol=1e-6)
    sound = ROWS[:, None, :, None] * np.ones((1, 1, 1, 5))
    (inputs,) = all_inputs({"x": sound}, "nchw")
    assert np.allclose(inputs, sound)


def test_both_parts_are_scaled_by_one_rule():
    """The control: alone, an array of zeros and ones would be bytes."""
    dark = np.zeros((2, 4, 4))
    both = all_inputs({"a": dark, "b": dark + 3.5}, "auto")
    assert [inputs.dtype for inputs in both] == [torch.float32] * 2
    assert both[1].max() == 3.5
    assert all_inputs({"a": dark}, "auto")[0].dtype == torch.uint8


@pytest.mark.parametrize(
    ("targets", "classes", "expected"),
    [
        (np.array([5, 3, 5]), ("3", "5"), [1, 0, 1]),
        (np.array(["b", "a", "b"]), ("a", "b"), [1, 0, 1]),
        (np.array([True, False, True]), ("0", "1"), [1, 0, 1]),
        (np.array([1.0, 0.0, 1.0]), ("0", "1"), [1, 0, 1]),
        (np.array([[7], [2], [7]]), ("2", "7"), [1, 0, 1]),
        (np.array([[0, 1], [1, 0], [0, 1]]), ("0", "1"), [1, 0, 1]),
        (["b", "a", "b"], ("a", "b"), [1, 0, 1]),
    ],
)
def test_classes_are_numbers_texts_or_single_ones(targets, classes, expected):
    (found,), names = all_targets({"y": targets}, "classification", None)
    assert names == classes
    assert found.tolist() == expected


def test_parts_names_weights_and_ids_are_found_by_their_keys(tmp_path, caplog):
    arrays = {
        "train_images": IMAGES, "train_labels": LABELS[:12], "val_images": IMAGES[:4],
        "val_labels": LABELS[:4], "test_images": IMAGES[:8], "test_labels": LABELS[:8],
        "class_names": ["w", "x", "y", "z"], "weights_train": np.linspace(0, 1, 12),
        "test_ids": [f"image {number}" for number in range(8)], "notes": [1.0],
    }  # fmt: skip
    with caplog.at_level(logging.WARNING):
        dataset = load(saved(tmp_path, **arrays))
    assert "left out: notes" in caplog.text
    assert (len(dataset.train), dataset.ready_val, len(dataset.test)) == (16, 4, 8)
    assert dataset.classes == ("w", "x", "y", "z")
    assert dataset.train.weights.tolist() == pytest.approx([*np.linspace(0, 1, 12), 1, 1, 1, 1])
    assert dataset.test.ids[3] == "image 3"


def test_a_folder_of_npy_files_is_a_data_set_as_well(tmp_path):
    (tmp_path / "set").mkdir()
    np.save(tmp_path / "set/x.npy", ROWS)
    np.save(tmp_path / "set/y.npy", LABELS)
    assert len(load(tmp_path / "set").train) == 30


def test_values_are_the_targets_of_a_regression(tmp_path):
    path = saved(tmp_path, x=ROWS, y=ROWS[:, :2], target_names=["up", "down"])
    dataset = load(path, task="regression")
    assert dataset.classes == ()
    assert dataset.target_names == ("up", "down")
    assert torch.equal(dataset.train.targets, dataset.train.inputs[:, :2])


NAN = ROWS.copy()
NAN[7, 1] = np.nan
WRONG = [  # arrays, options, and what the message names
    ({"y": LABELS}, {}, "has no inputs"),
    ({"x": ROWS}, {}, r"no targets.*y_train"),
    ({"x": ROWS, "y": LABELS[:30]}, {}, "40 examples and .* 30"),
    ({"x": NAN, "y": LABELS}, {}, r"nan at \[7, 1\]"),
    ({"x": ROWS * 1e300, "y": LABELS}, {}, "not a finite 32-bit"),
    ({"x": ROWS.astype(str), "y": LABELS}, {}, "and not numbers"),
    ({"x": ROWS[:, None, None, None], "y": LABELS}, {}, "one to four dimensions"),
    ({"x": ROWS + 1j, "y": LABELS}, {}, "complex"),
    ({"x": np.ones((40, 3, 5, 3)), "y": LABELS}, {}, r"data\.layout=nhwc"),
    ({"x": np.ones((40, 5, 5, 4)), "y": LABELS}, {}, r"data\.layout=nhwc"),
    ({"x": ROWS, "y": ROWS[:, 0]}, {}, r"data\.task=regression"),
    ({"x": ROWS, "y": np.arange(40.0)}, {}, r"values rather than classes"),
    ({"x": ROWS, "y": np.ones(40, int)}, {}, "1 class"),
    ({"x": ROWS, "y": ROWS}, {}, r"data\.task=multilabel"),
    ({"x": ROWS, "y": LABELS.astype(str)}, {"task": "regression"}, "predicts numbers"),
    ({"x": ROWS, "y": NAN[:, 1]}, {"task": "regression"}, "not finite"),
    ({"x": ROWS, "y": LABELS, "classes": ["a", "b"]}, {}, "2 names of classes"),
    ({"x": ROWS, "y": LABELS, "weights": -(ROWS[:, 0] ** 2)}, {}, "weights"),
    ({"x": ROWS, "y": LABELS, "test_x": ROWS[:, :2], "test_y": LABELS}, {}, "the same shape"),
    ({"x": ROWS, "y": LABELS, "test_x": ROWS, "test_y": LABELS + 1}, {}, "lacks: 4"),
    ({"x": ROWS[:4], "y": LABELS[:4]}, {"test_fraction": 0.01}, r"data\.test_fraction=0\.01"),
]


@pytest.mark.parametrize(("arrays", "options", "message"), WRONG)
def test_arrays_that_are_no_data_set_are_refused_by_name(arrays, options, message, tmp_path):
    with pytest.raises(UserError, match=f"(?s){message}"):
        load(saved(tmp_path, **arrays), **options)


def test_objects_are_never_unpickled(tmp_path):
    path = saved(tmp_path, x=ROWS, y=np.array([{"a": 1}] * 40, dtype=object))
    with pytest.raises(UserError, match=r"(?s)my\.npz cannot be read.*without Python objects"):
        load(path)


@pytest.mark.parametrize(
    ("content", "message"), [(b"PK\3\4broken", "cannot be read"), (b"", "read")]
)
def test_a_damaged_or_missing_file_is_named(content, message, tmp_path):
    (tmp_path / "my.npz").write_bytes(content)
    with pytest.raises(UserError, match=rf"my\.npz {message}|my\.npz cannot be {message}"):
        load(tmp_path / "my.npz")
    with pytest.raises(UserError, match=r"no\.npz does not exist"):
        load(tmp_path / "no.npz")
    np.save(tmp_path / "one.npy", ROWS)
    with pytest.raises(UserError, match="is one array"):
        load(tmp_path / "one.npy")


SPLIT = train_test_split(ROWS, LABELS, test_size=10, random_state=0)  # X, X_test, y, y_test
FOUR = (SPLIT[0], SPLIT[2], SPLIT[1], SPLIT[3])


@pytest.mark.parametrize(
    "returned",
    [
        FOUR,
        (FOUR[:2], FOUR[2:]),
        {"x_train": FOUR[0], "y_train": FOUR[1], "x_test": FOUR[2], "y_test": FOUR[3]},
        tuple(TensorDataset(*map(torch.from_numpy, pair)) for pair in (FOUR[:2], FOUR[2:])),
        [some.tolist() for some in FOUR],
    ],
    ids=["four arrays", "two pairs", "dict", "torch", "lists"],
)
def test_every_form_of_a_functions_result_gives_the_same_data_set(returned):
    dataset = made(returned)
    assert np.array_equal(dataset.train.inputs, FOUR[0].astype(np.float32))
    assert np.array_equal(dataset.train.targets, FOUR[1])
    assert np.array_equal(dataset.test.inputs, FOUR[2].astype(np.float32))
    assert np.array_equal(dataset.test.targets, FOUR[3])


def test_tables_of_pandas_and_bunches_of_scikit_learn_keep_their_names():
    bunch = load_iris(as_frame=True)
    for returned in (bunch, (bunch.data, bunch.target)):
        dataset = made(returned)
        assert (len(dataset.train), len(dataset.test)) == (112, 38)
        assert dataset.features == tuple(bunch.feature_names)
    assert made(bunch).classes == ("setosa", "versicolor", "virginica")


def test_a_data_set_of_dlcourse_is_taken_as_it_is():
    dataset = made((ROWS, LABELS))
    assert made(dataset) is dataset
    assert isinstance(dataset, Dataset)


def test_a_function_gets_its_options_and_the_seed_of_the_data():
    def noisy(scale, seed, *, shift=0.0):
        return scale * ROWS + shift + seed, LABELS

    options = {"task": "classification", "layout": "auto", "test_fraction": 0.25}
    dataset = function(
        root=None, seed=5, function=noisy, options={"scale": 2.0, "shift": 1.0}, **options
    )
    rows = torch.cat([dataset.train.inputs, dataset.test.inputs]).numpy()
    assert np.allclose(np.sort(rows, 0), np.sort(2 * ROWS + 6, 0), atol=1e-6)
    check_call_of(function=noisy, options={"scale": 1.0})
    for wrong in ({}, {"scale": 1, "sale": 2}):
        with pytest.raises(UserError, match=r"(?s)noisy.*scale.*data\.options"):
            check_call_of(function=noisy, options=wrong)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "returned NoneType"),
        (ROWS, "returned ndarray"),
        ((ROWS, LABELS, ROWS), "returned 3 values"),
        (SPLIT, "the order of train_test_split"),
        (TensorDataset(torch.zeros(4, 2)), "no pair"),
        ({"rows": ROWS}, "has no inputs"),
    ],
)
def test_a_result_that_is_no_data_set_is_refused(returned, message):
    with pytest.raises(UserError, match=message):
        made(returned)


def test_examples_of_different_shapes_are_refused():
    class Ragged(torch.utils.data.Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return torch.zeros(index + 1), index

    with pytest.raises(UserError, match=r"different shapes, \(1,\) and \(2,\)"):
        made(Ragged())


def test_a_stored_config_calls_the_users_function_only_if_it_is_trusted():
    config = composed("data=function", "data.function=my_module.load")
    with pytest.raises(UserError, match=r"(?s)calls my_module\.load.*trust=\[my_module\]"):
        check_trust(config)
    assert to_type(config) == "trust=[my_module]"
    check_trust(config | {"trust": ["my_module"]})


def test_a_function_trains_from_the_command_line_s_config(tiny, tmp_path, monkeypatch):
    from dlcourse.engine.run import run

    (tmp_path / "my_arrays.py").write_text(
        "import numpy as np\n"
        "def load(n):\n"
        "    return np.arange(2.0 * n).reshape(n, 2), np.arange(n) % 2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = tiny("data=function", "data.function=my_arrays.load", "data.options={n: 40}",
                  "model=mlp", "model.widths=[4]", "max_epochs=1")  # fmt: skip
    config["data"]["examples"] = None
    assert 0 <= run(config, tmp_path / "run") <= 1
    wrong = config | {"data": config["data"] | {"function": "my_arrays.lode"}}
    with pytest.raises(UserError, match=r"did you mean load\?.*\n.*data\.function"):
        run(wrong, tmp_path / "other")
    sys.modules.pop("my_arrays", None)
