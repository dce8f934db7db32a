"""The commands that read finished runs: evaluate, predict and collect."""

import csv
import json

import pytest
from conftest import ROOT
from PIL import Image

from dlcourse.engine.datasets import load_data
from dlcourse.engine.run import run

SMALL = ["data.examples=200", "max_epochs=8", "model=mlp"]


@pytest.fixture
def trained(tiny, tmp_path):
    """Return the folder of a run that has learned to classify some digits."""
    run(tiny("optim.lr=0.01", *SMALL), tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def folds(tiny, tmp_path):
    run(tiny("split=kfold", "split.folds=2", "model=mlp"), tmp_path / "run")
    return tmp_path / "run"


def test_evaluate_prints_the_values_of_the_result(trained, here):
    ended = here(f"run={trained}", script="scripts/evaluate.py")
    result = json.loads((trained / "result.json").read_text())
    expected = [f"test/{name} {value}" for name, value in result["test"].items()]
    assert ended.stdout.splitlines() == expected


def test_evaluate_measures_all_folds_or_a_single_one(folds, here):
    ended = here(f"run={folds}", script="scripts/evaluate.py")
    results = [json.loads((folds / f"fold{i}/result.json").read_text()) for i in range(2)]
    for number, result in enumerate(results):
        assert f"fold{number} test/accuracy {result['test']['accuracy']}" in ended.stdout
    alone = here(f"run={folds / 'fold1'}", script="scripts/evaluate.py")
    assert f"test/accuracy {results[1]['test']['accuracy']}" in alone.stdout


def test_evaluate_measures_a_nested_run_on_its_outer_fold(tiny, here, tmp_path):
    arguments = ["split=nested", "split.outer=3", "split.inner=2", "split.fold=2", "model=mlp"]
    run(tiny(*arguments), tmp_path / "run")
    ended = here(f"run={tmp_path / 'run'}", script="scripts/evaluate.py")
    for number in range(2):
        result = json.loads((tmp_path / f"run/fold{number}/result.json").read_text())
        assert f"fold{number} test/loss {result['test']['loss']}" in ended.stdout


def digits_as_files(compose, folder, count=20):
    """Write test digits as images; return their classes by file."""
    folder.mkdir()
    test = load_data(compose("data=digits")).test
    classes = {}
    for number in range(count):
        path = folder / f"{number:03}.png"
        Image.fromarray(test.inputs[number, 0].numpy()).save(path)
        classes[str(path)] = str(int(test.targets[number]))
    return classes


@pytest.mark.parametrize("kind", ["trained", "folds"])
def test_predict_writes_the_class_and_all_probabilities(kind, request, compose, here, tmp_path):
    folder = request.getfixturevalue(kind)
    classes = digits_as_files(compose, tmp_path / "images")
    ended = here(f"run={folder}", f"images={tmp_path / 'images'}", script="scripts/predict.py")
    assert ended.returncode == 0, ended.stderr
    rows = list(csv.DictReader(ended.stdout.splitlines()))
    assert [row["image"] for row in rows] == sorted(classes)
    for row in rows:
        shares = {name: float(row[name]) for name in "0123456789"}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        assert shares[row["class"]] == max(shares.values()) == float(row["probability"])
    if kind == "trained":
        hits = sum(row["class"] == classes[row["image"]] for row in rows)
        assert hits >= 15


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
def test_predict_combines_the_folds_like_the_result(loss, tiny, compose, here, tmp_path):
    arguments = ["split=kfold", "split.folds=2", "model=mlp", "optim.lr=0.01", f"loss={loss}"]
    run(tiny(*arguments), tmp_path / "run")
    classes = digits_as_files(compose, tmp_path / "images", 360)
    arguments = [f"run={tmp_path / 'run'}", f"images={tmp_path / 'images'}"]
    ended = here(*arguments, script="scripts/predict.py")
    rows = list(csv.DictReader(ended.stdout.splitlines()))
    hits = sum(row["class"] == classes[row["image"]] for row in rows)
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["ensemble"]["accuracy"] == hits / 360


def test_predict_writes_a_new_file_and_never_overwrites_one(trained, compose, here, tmp_path):
    image = next(iter(digits_as_files(compose, tmp_path / "images", 1)))
    arguments = [f"run={trained}", f"images={image}", "csv=out.csv"]
    assert here(*arguments, script="scripts/predict.py").returncode == 0
    before = (tmp_path / "out.csv").read_text()
    again = here(*arguments, script="scripts/predict.py")
    assert again.returncode == 2
    assert "already there" in again.stderr
    assert (tmp_path / "out.csv").read_text() == before


ONLY_DLCOURSE = ("evaluate", "predict", "collect", "report", "doctor")
"""The scripts that only run a command of dlcourse, and need no process of their own."""


@pytest.mark.parametrize(
    ("script", "arguments", "named"),
    [
        ("evaluate", [], "run="),
        ("evaluate", ["run=no/such"], "no/such"),
        ("evaluate", ["rum=x"], "did you mean run"),
        ("predict", ["run=no/such", "images=x"], "no/such"),
        ("collect", ["no/such"], "no/such"),
        ("collect", [], "No folder is given"),
        ("collect", [".", "cvs=x"], "did you mean csv"),
        ("collect", ["."], "There is no run in ."),
        ("report", ["no/such"], "no/such"),
        ("report", [], "No folder is given"),
        ("report", [".", "htm=x"], "did you mean html"),
        ("report", ["run=.", "html=page.html"], "There is no run in ."),
        ("../benchmarks/benchmark", ["models=resnet", "data.root=x"], "resnet"),
        (
            "../benchmarks/benchmark",
            ["repeats=0"],
            "repeats=0 is not allowed: repeats takes a whole number",
        ),
        ("../benchmarks/benchmark", ["cases=sped"], "cases=sped is not known; did you mean speed"),
        ("../benchmarks/benchmark", ["device=tpu"], "device=tpu"),
        ("doctor", ["model=lenett"], "did you mean lenet"),
        ("doctor", ["optim.lr=-1"], "optim.lr=-1"),
        ("doctor", ["-m", "model=lenet"], "-m is not for doctor"),
        ("kill_drill", ["kills=some"], "kills=some"),
        ("../benchmarks/bare_resnet", ["folder=x", "lr=nan"], "lr=nan"),
        ("../benchmarks/bare_resnet", ["folder=no/such"], "no/such/train"),
    ],
)
def test_a_wrong_option_gets_one_message(script, arguments, named, request):
    own = "here" if script in ONLY_DLCOURSE else "command"
    ended = request.getfixturevalue(own)(*arguments, script=f"scripts/{script}.py")
    assert ended.returncode == 2
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr


PROGRAMS = [path for folder in ("scripts", "benchmarks") for path in (ROOT / folder).glob("*.py")]
MODULES = (
    "__init__", "clone", "document", "finished_sweep", "image_readers", "machine", "markdown",
    "nets", "options", "photographs", "workloads",
)  # fmt: skip


@pytest.mark.parametrize(
    "program",
    sorted(str(path.relative_to(ROOT)) for path in PROGRAMS if path.stem not in MODULES),
)
def test_every_script_has_help(program, command):
    ended = command("--help", script=program)
    assert ended.returncode == 0
    assert program in ended.stdout.replace("benchmarks/benchmark.py", program)


def test_collect_ranks_by_validation_and_shows_the_options_that_vary(tiny, here, tmp_path):
    for rate in (0.0001, 0.01):
        run(tiny(*SMALL, f"optim.lr={rate}"), tmp_path / f"runs/{rate}")
    run(tiny(*SMALL, "split=kfold", "split.folds=2"), tmp_path / "runs/folds")
    run(tiny("model=mlp", "data=sine", "loss=mse"), tmp_path / "runs/sine")
    (tmp_path / "runs/0.5/.hydra").mkdir(parents=True)
    (tmp_path / "runs/0.5/.hydra/config.yaml").write_text("seed: 0\n")
    ended = here("runs", script="scripts/collect.py")
    assert ended.returncode == 0, ended.stderr
    rows = list(csv.DictReader((tmp_path / "runs/results.csv").read_text().splitlines()))
    assert len(rows) == 5
    done = [row for row in rows if row["status"] == "done"]
    accuracies = [float(row["mean"]) for row in done if row["monitor"] == "val/accuracy"]
    assert accuracies == sorted(accuracies, reverse=True)
    assert [row["rank"] for row in done] == ["1", "2", "3", "1"]
    folds = json.loads((tmp_path / "runs/folds/result.json").read_text())["folds"]
    (row,) = [row for row in rows if row["folder"] == "folds"]
    assert float(row["mean"]) == pytest.approx(sum(fold["best"] for fold in folds) / 2)
    assert row["n"] == "2"
    assert {"0.0001", "0.01"} <= {row["optim.lr"] for row in rows}
    assert "batch_size" not in rows[0]
    assert "not finished: runs/0.5" in ended.stdout
    for name in ("results.md", "results.tex"):
        assert (tmp_path / "runs" / name).stat().st_size > 100


def test_collect_writes_the_named_files_and_never_overwrites_one(trained, here, tmp_path):
    arguments = ["run", "csv=a.csv", "markdown=a.md", "latex=a.tex", "plots=drawn"]
    assert here(*arguments, script="scripts/collect.py").returncode == 0
    assert {path.name for path in tmp_path.glob("a.*")} == {"a.csv", "a.md", "a.tex"}
    assert not (trained / "results.csv").exists()
    again = here(*arguments, script="scripts/collect.py")
    assert again.returncode == 2
    assert "a.csv is already there" in again.stderr
