"""A run detects that its data have changed and names the difference."""

import ast
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import options
from PIL import Image

import dlcourse
from dlcourse.engine import fingerprint, same_data
from dlcourse.engine.datasets import load_data, split_training_data
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.runs import run_folder
from dlcourse.schema.run_files import DATA
from dlcourse.sweep.dry_run import CachedChecks
from dlcourse.sweep.run_sweep import folders_by_data

ROWS = [f"{n * 7919 % 101},{n * 104729 % 97},{'pq'[n * 31 % 3 > 0]}" for n in range(60)]
TABLE = ["data=csv", "data.target=y", "data.file=t.csv", "model=mlp", "model.widths=[4]"]
TABLE += ["data.examples=null"]


def write_table(folder: Path, rows=ROWS, header="a,b,y") -> None:
    folder.mkdir(exist_ok=True)
    (folder / "t.csv").write_text("\n".join([header, *rows]) + "\n")


def train_unfinished(cfg, folder: Path) -> dict:
    """Train a run and remove its result, as if it had been killed before its end."""
    run(cfg, folder)
    result = run_folder.read_result(folder)
    (folder / "result.json").unlink()
    return result


@pytest.fixture
def table(tiny, tmp_path):
    """Return the config of a run on a table."""
    write_table(tmp_path / "data")
    return tiny(*TABLE, f"data.root={tmp_path / 'data'}")


def changed(rows: list[str], number: int, old: str, new: str) -> list[str]:
    return [row.replace(old, new) if n == number else row for n, row in enumerate(rows)]


CHANGES = {
    "a cell": (changed(ROWS, 3, ROWS[3][:2], "7"), "1 example was changed in class"),
    "a label": (changed(ROWS, 3, ",p", ",q"), "1 target differs"),
    "a class": ([row.replace(",q", ",r") for row in ROWS], "class names: q -> r"),
    "fewer rows": (ROWS[:45], "5 examples were removed from class p"),
    "more rows": ([*ROWS, "1000,1,p", "1001,1,p"], "2 examples were added to class p"),
    "one class more": ([*ROWS, "1000,1,z"], "class z was added"),
    "another order": (ROWS[::-1], "the same examples are in another order"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_is_not_resumed_on_a_changed_table(change, table, tmp_path):
    train_unfinished(table, tmp_path / "run")
    rows, message = CHANGES[change]
    write_table(tmp_path / "data", rows)
    before = (tmp_path / "run/checkpoints/last.pt").read_bytes()
    with pytest.raises(UserError) as refused:
        run(table, tmp_path / "run")
    assert message in str(refused.value)
    assert "data.root=<folder>" in str(refused.value)
    assert (tmp_path / "run/checkpoints/last.pt").read_bytes() == before
    write_table(tmp_path / "data")  # the original rows
    run(table, tmp_path / "run")


def test_an_added_column_is_named_and_a_moved_folder_is_accepted(table, tmp_path):
    result = train_unfinished(table, tmp_path / "run")
    header = "a,b,c,y"
    write_table(tmp_path / "data", [row.replace(",", ",0,", 1) for row in ROWS], header)
    with pytest.raises(UserError, match="shape of an example: 2 -> 3"):
        run(table, tmp_path / "run")
    write_table(tmp_path / "data")
    shutil.move(tmp_path / "data", tmp_path / "moved")
    table["data"]["root"] = str(tmp_path / "moved")
    run(table, tmp_path / "run")
    assert run_folder.read_result(tmp_path / "run")["test"] == result["test"]


def test_reordered_columns_are_named(table, tmp_path):
    run(table, tmp_path / "run")
    swapped = [",".join([*row.split(",")[1::-1], row[-1]]) for row in ROWS]
    write_table(tmp_path / "data", swapped, "b,a,y")
    with pytest.raises(UserError, match=r"inputs are a, b(?s:.*)columns: a, b -> b, a"):
        refuse_learned(table, tmp_path / "run")
    (tmp_path / "run/result.json").unlink()
    with pytest.raises(UserError, match="columns: a, b -> b, a"):
        run(table, tmp_path / "run")


def test_the_remaining_folds_are_not_trained_on_other_data(table, tiny, tmp_path):
    cfg = tiny(*TABLE, f"data.root={table['data']['root']}", "split=kfold", "split.folds=2")
    train_unfinished(cfg, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/fold1")
    write_table(tmp_path / "data", CHANGES["a label"][0])
    with pytest.raises(UserError, match="1 target differs"):
        run(cfg, tmp_path / "run")


def test_targets_of_a_regression_are_compared_too(tiny, tmp_path):
    rows = [f"{n},{n % 7}" for n in range(40)]
    write_table(tmp_path / "data", rows, "a,y")
    cfg = tiny(*TABLE, f"data.root={tmp_path / 'data'}", "data.task=regression", "loss=mse",
               "metric=[rmse]", "monitor=val/loss", "mode=min")  # fmt: skip
    train_unfinished(cfg, tmp_path / "run")
    write_table(tmp_path / "data", changed(rows, 9, "9,2", "9,3"), "a,y")
    with pytest.raises(UserError, match="1 target differs"):
        run(cfg, tmp_path / "run")


# Images


def write_image(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder of two classes with a training and a test part."""
    value = 0
    for part, count in (("train", 10), ("test", 4)):
        for name in ("dark", "light"):
            for number in range(count):
                value += 1
                write_image(tmp_path / f"pics/{part}/{name}/{number}.bmp", value)
    return tmp_path / "pics"


def images(tiny, folder, *overrides):
    return tiny("data=image_folder", f"data.root={folder}", "data.size=8", "data.workers=0",
                "data.examples=null", "model=mlp", "model.widths=[4]", *overrides)  # fmt: skip


@pytest.mark.parametrize("memory", [1, 1e-9])
def test_a_replaced_image_of_the_same_size_and_time_is_detected(memory, folder, tiny, tmp_path):
    cfg = images(tiny, folder, f"data.memory={memory}")
    train_unfinished(cfg, tmp_path / "run")
    path = folder / "train/dark/3.bmp"
    status = path.stat()
    write_image(path, 250)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    with pytest.raises(UserError, match="1 image was changed in class dark"):
        run(cfg, tmp_path / "run")
    if memory == 1:
        assert 250 in load_data(cfg).train.inputs
    caches = [path.name.split("-")[0] for path in (folder / ".dlcourse").iterdir()]
    assert caches == ["decoded" if memory == 1 else "problems"], "an older cache is left behind"


def test_added_images_are_counted_by_class(folder, tiny, tmp_path):
    cfg = images(tiny, folder)
    train_unfinished(cfg, tmp_path / "run")
    for number in range(20):
        write_image(folder / f"train/light/new{number}.bmp", 100 + number)
    with pytest.raises(UserError, match="20 images were added to class light"):
        run(cfg, tmp_path / "run")


def refuse_learned(cfg, folder: Path) -> None:
    dataset = load_data(cfg)
    parts = split_training_data(cfg, dataset)
    nested = any(part.test is not None for part in parts)
    same_data.refuse_learned(folder, fingerprint.with_division(dataset, parts), nested=nested)


def test_a_run_is_tested_on_other_images_but_not_on_its_training_images(
    folder, tiny, tmp_path, caplog
):
    cfg = images(tiny, folder)
    run(cfg, tmp_path / "run")
    refuse_learned(cfg, tmp_path / "run")
    write_image(folder / "train/light/new.bmp", 200)  # the test part is unchanged
    refuse_learned(cfg, tmp_path / "run")
    assert not caplog.text
    write_image(folder / "test/light/new.bmp", 201)
    refuse_learned(cfg, tmp_path / "run")
    assert "the test part is not the one of result.json" in caplog.text
    shutil.copy(folder / "train/light/2.bmp", folder / "test/light/other_name.bmp")
    with pytest.raises(UserError, match="it was trained on 1 of these 10 examples"):
        refuse_learned(cfg, tmp_path / "run")


def test_a_run_is_not_tested_on_other_classes(folder, tiny, tmp_path):
    cfg = images(tiny, folder)
    run(cfg, tmp_path / "run")
    for part in ("train", "test"):
        (folder / part / "light").rename(folder / part / "bright")
    with pytest.raises(UserError, match=r"dark, light, in this order(?s:.*)light -> bright"):
        refuse_learned(cfg, tmp_path / "run")


def test_nested_folds_are_tested_only_on_the_same_data(tiny, tmp_path):
    write_table(tmp_path / "data")
    nested = ["split=nested", "split.outer=2", "split.inner=2"]
    cfg = tiny(*TABLE, f"data.root={tmp_path / 'data'}", *nested)
    run(cfg, tmp_path / "run")
    refuse_learned(cfg, tmp_path / "run")
    write_table(tmp_path / "data", CHANGES["more rows"][0])
    with pytest.raises(UserError, match="2 examples were added"):
        refuse_learned(cfg, tmp_path / "run")


def test_a_run_is_tested_on_another_table_but_not_on_its_training_rows(table, tmp_path, caplog):
    run(table, tmp_path / "run")
    other = [f"{n * 7907 % 103},{n * 104723 % 89},{'pq'[n * 31 % 3 > 0]}" for n in range(70)]
    write_table(tmp_path / "data", [*ROWS[:1], *other])  # one row is equal, as may happen by chance
    refuse_learned(table, tmp_path / "run")
    assert "the test part is not the one of result.json" in caplog.text
    write_table(tmp_path / "data", [*ROWS, *other[:8]])
    with pytest.raises(UserError, match="it was trained on"):
        refuse_learned(table, tmp_path / "run")


# Sweeps, older runs, and what is not compared


def test_the_missing_jobs_of_a_sweep_do_not_run_on_other_data(table, tiny, tmp_path):
    run(table, tmp_path / "sweep/done")
    jobs = [
        SimpleNamespace(config=table, folder=tmp_path / "sweep" / name) for name in ("done", "todo")
    ]
    for job in jobs:
        job.inside = lambda sweep, job=job: job
        job.result = lambda job=job: run_folder.read_result(job.folder)
    plan = SimpleNamespace(is_search=False, jobs=[jobs[:1], jobs[1:]])
    (known,) = folders_by_data(plan, tmp_path / "sweep").values()
    assert known == tmp_path / "sweep/done"
    assert not CachedChecks(here=False).finding(table, known).problem
    write_table(tmp_path / "data", CHANGES["a label"][0])
    assert "1 target differs" in CachedChecks(here=False).finding(table, known).problem
    plan.jobs = [jobs[:1]]
    assert not folders_by_data(plan, tmp_path / "sweep"), "a sweep that is done needs no data"


def test_an_older_run_is_resumed_with_its_own_split_and_a_note(tiny, tmp_path, caplog):
    cfg = tiny("model=mlp", "random_streams=1", "data.random_labels=0.2")
    result = train_unfinished(cfg, tmp_path / "run")
    (tmp_path / "run" / DATA).unlink()
    run(cfg, tmp_path / "run")
    assert "started before dlcourse recorded" in caplog.text
    assert run_folder.read_result(tmp_path / "run")["val"] == result["val"]
    assert (tmp_path / "run" / DATA).exists()
    cfg["random_streams"] = 2  # the control: another split is refused
    (tmp_path / "run/result.json").unlink()
    with pytest.raises(UserError):
        run(cfg, tmp_path / "run")


def test_another_split_of_the_same_data_is_refused(table, tmp_path, monkeypatch):
    train_unfinished(table, tmp_path / "run")
    dataset = load_data(table)
    known = fingerprint.with_division(dataset, split_training_data(table, dataset))
    table["split"]["seed"] = 1
    other = fingerprint.with_division(dataset, split_training_data(table, dataset))
    same_data.refuse_other_data(tmp_path / "run", known)
    with pytest.raises(UserError, match="divided in another way"):
        same_data.refuse_other_data(tmp_path / "run", other)


def test_a_damaged_fingerprint_is_named(table, tmp_path):
    train_unfinished(table, tmp_path / "run")
    (tmp_path / "run" / DATA).write_bytes(b"x")
    with pytest.raises(UserError, match=DATA):
        run(table, tmp_path / "run")


def test_only_data_from_a_users_own_files_are_compared_example_by_example():
    own = set()
    for path in (Path(dlcourse.__file__).parent / "data").glob("*.py"):
        calls = (
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        )
        made = [call for call in calls if ast.unparse(call.func) == "Dataset"]
        if any("verified" not in {keyword.arg for keyword in call.keywords} for call in made):
            own.add(path.stem)
    without_checksums = {"tiny_imagenet"}
    shared = {"arrays": ("npz", "function"), "table_dataset": ("csv", "parquet")}
    assert own == {"image_folder", "huggingface", *shared, *without_checksums}
    assert {*own - shared.keys(), *sum(shared.values(), ())} < set(options("data"))
