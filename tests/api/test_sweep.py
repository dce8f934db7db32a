"""``dlcourse.sweep`` returns the table of the command and leaves no process."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SMALL

import dlcourse

SCRIPT = """
import dlcourse  # a script without: if __name__ == "__main__"

print("begins")
table = dlcourse.sweep(*OVERRIDES, "optim=sgd", seeds=2, model=["mlp", "net"], folder="swept",
                       config_dir="own", workers=2)
print(len(table), "rows")
print(table.runs[0].predict(table.best.dataset.test.inputs[:1]).shape)
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory, data_root):
    """Run the script once: two models, one of the user's own that fails with one of two seeds."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "own/model").mkdir(parents=True)
    (folder / "own/model/net.yaml").write_text("_target_: own_net.Net\n_partial_: true\n")
    (folder / "own_net.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Sequential):\n"
        "    def __init__(self, input_shape, output_size):\n"
        "        super().__init__(torch.nn.Flatten(), torch.nn.Linear(784, output_size))\n"
        "        assert torch.initial_seed() % 2 == 0 or self[1].weight.is_meta, 'unlucky'\n"
    )
    overrides = [*SMALL, "max_epochs=1", f"data.root={data_root}"]
    (folder / "script.py").write_text(SCRIPT.replace("OVERRIDES", repr(overrides)))
    ended = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=120
    )
    return folder / "swept", ended


def test_a_script_without_a_guard_sweeps_once(swept):
    _, ended = swept
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("begins") == 1
    assert "2 rows" in ended.stdout
    assert "torch.Size([1, 10])" in ended.stdout


def test_the_rows_are_those_of_results_csv(swept):
    folder, _ = swept
    table = dlcourse.Sweep(folder)
    with open(folder / "results.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [row["model"] for row in table.rows] == [line["model"] for line in lines]
    for row, line in zip(table.rows, lines, strict=True):
        assert row["n"] == int(line["n"])
        if row["n"]:
            assert row["val/accuracy"] == float(line["mean"])
            assert row["test/accuracy"] == float(line["test_mean"])
    assert table.best.folder in [run.folder for run in table.runs]
    assert table.best.result["val"]["accuracy"] >= table.rows[0]["val/accuracy"]
    html = table._repr_html_()
    assert f"{table.rows[0]['val/accuracy']:.4f}" in html
    assert repr(table).startswith("<dlcourse.Sweep ")
    pytest.importorskip("pandas")
    assert list(table.frame()["model"]) == [row["model"] for row in table.rows]


def test_the_folder_of_a_sweep_is_not_loaded_as_a_run(swept):
    with pytest.raises(dlcourse.UserError, match=r"dlcourse\.sweep\(resume="):
        dlcourse.load(swept[0])


@pytest.mark.parametrize(
    ("overrides", "settings", "message"),
    [
        (["model=mlp,lenett"], {}, "did you mean lenet"),
        (["optim=sgd,adam", "hydra/launcher=joblib"], {}, "hydra/launcher=joblib"),
        (["optim=sgd,adam", "hydra/sweeper=basic"], {}, "is not for Python"),
        ([], {"resume": "nothing"}, "holds no sweep"),
        (["optim=sgd,adam"], {"workers": 0}, "workers=0"),
    ],
)
def test_a_sweep_that_cannot_run_raises_before_any_job_starts(
    from_python, overrides, settings, message
):
    with pytest.raises(dlcourse.UserError, match=message):
        dlcourse.sweep(*overrides, **settings)
    assert not list(Path().rglob("sweep.json"))


def test_the_curves_and_the_report_of_a_sweep_show_in_a_notebook(swept):
    table = dlcourse.Sweep(swept[0])
    assert table.curves()._repr_png_().startswith(b"\x89PNG")
    page = table.report()
    assert page.path == swept[0] / "report.html"
    assert page._repr_html_().startswith('<iframe srcdoc="&lt;!')
