"""Images with several classes each, listed in a CSV file."""

import csv

import numpy as np
import pytest
import torch
from conftest import composed
from PIL import Image

from dlcourse.core import Split
from dlcourse.engine.datasets import load_data
from dlcourse.engine.same_data import data_differences
from dlcourse.engine.same_examples import SameExamples
from dlcourse.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Return a folder with 20 grey images, each of one value: 0, 10, 20 ..."""
    for number in range(20):
        image = np.full((8, 8, 3), number * 10, np.uint8)
        Image.fromarray(image).save(tmp_path / f"{number:02}.png")
    return tmp_path


def write(folder, rows, name="labels.csv"):
    with open(folder / name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def loaded(folder, *overrides):
    return load_data(
        composed(
            "data=image_folder", f"data.root={folder}", "data.labels=labels.csv", "data.size=8",
            *overrides,
        )
    )  # fmt: skip


FLAGS = [[f"{n:02}.png", n % 2, int(n % 3 == 0)] for n in range(20)]
LISTS = [[name, "|".join(["odd"] * odd + ["big dog"] * third)] for name, odd, third in FLAGS]


def classes_by_image(dataset):
    """Return the classes of each image, by its grey value."""
    return {
        int(image[0, 0, 0]) // 10: {
            dataset.classes[n] for n in target.nonzero().flatten().tolist()
        }
        for part in (dataset.train, dataset.test)
        for image, target in zip(part.inputs, part.targets, strict=True)
    }  # fmt: skip


def test_a_column_for_each_class_and_a_column_of_lists_give_the_same_data(folder):
    write(folder, [["file", "odd", "big dog"], *FLAGS])
    flags = loaded(folder)
    write(folder, [["labels", "file"], *[row[::-1] for row in LISTS]])
    lists = loaded(folder)
    assert (flags.classes, lists.classes) == (("odd", "big dog"), ("big dog", "odd"))
    assert flags.task == lists.task == "multilabel"
    assert flags.train.targets.dtype == torch.float32
    names = ("odd", "big dog")
    expected = {
        n: {name for name, has in zip(names, (n % 2, n % 3 == 0), strict=True) if has}
        for n in range(20)
    }
    assert classes_by_image(flags) == classes_by_image(lists) == expected
    assert (len(flags.train), len(flags.test)) == (16, 4)


def test_labels_separated_by_spaces_and_images_without_a_line(folder, caplog):
    write(folder, [["Image", "tags"], ["00.png", "cat dog"], ["01.png", ""], ["02.png", "dog"],
                   ["03.png", "cat"], ["04.png", "cat"]])  # fmt: skip
    found = classes_by_image(loaded(folder))
    assert found == {0: {"cat", "dog"}, 1: set(), 2: {"dog"}, 3: {"cat"}, 4: {"cat"}}
    assert "15 images without a line" in caplog.text
    assert "csv files" not in caplog.text


def test_folders_train_and_test_are_the_parts(folder):
    for part, numbers in (("train", range(10)), ("test", range(10, 20))):
        (folder / part).mkdir()
        for n in numbers:
            (folder / f"{n:02}.png").rename(folder / part / f"{n:02}.png")
    rows = [[f"{'train' if n < 10 else 'test'}/{n:02}.png", n % 2, int(n < 15)] for n in range(20)]
    write(folder, [["file", "odd", "small"], *rows])
    dataset = loaded(folder)
    assert sorted(dataset.test.inputs[:, 0, 0, 0].tolist()) == [10 * n for n in range(10, 20)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["file", "a", "b"], ["00.png", 1, 0], ["zz.png", 1, 1]], "1 of 2 files.*zz.png"),
        ([["file", "a", "b"], ["00.png", 1, 2]], "line 2, column b: 2 is not 0 or 1"),
        ([["file", "a", "b"], ["00.png", 1, 0], ["00.png", 1, 0]], "00.png more than once"),
        ([["name", "a", "b"], ["00.png", 1, 0]], "the columns name, a, b"),
        ([["file", "a", "b"], ["00.png", 1]], "line 2: 2 cells under 3 columns"),
        ([["file", "a", "b"]], "no line with an image"),
        ([["file", "tags"], ["00.png", "cat"]], "has 1 classes"),
    ],
)
def test_a_wrong_table_gets_one_message(folder, rows, message):
    write(folder, rows)
    with pytest.raises(UserError, match=message):
        loaded(folder)


def test_a_changed_label_is_noticed_when_a_run_is_resumed(folder):
    write(folder, [["file", "odd", "big dog"], *FLAGS])
    before = loaded(folder).fingerprint
    assert data_differences(before, loaded(folder).fingerprint) == []
    write(folder, [["file", "odd", "big dog"], *FLAGS[:-1], ["19.png", 0, 0]])
    after = loaded(folder).fingerprint
    assert before.train.counts[0] + before.test.counts[0] == 10
    assert "1 target differs" in data_differences(before, after)


def test_two_runs_are_compared_by_exact_matches_and_by_the_recall_of_each_class():
    targets = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    right, wrong = targets * 0.8 + 0.1, torch.full((3, 2), 0.9)
    same = SameExamples(Split(torch.zeros(3, 1), targets), ("a", "b"), right, wrong)
    assert same.right(same.a).tolist() == [True, True, True]
    assert same.right(same.b).tolist() == [False, True, False]
    rows = {row.name: (row.examples, row.a, row.b) for row in same.by_class}
    assert rows == {"a": (2, 1.0, 1.0), "b": (1, 1.0, 1.0)}
