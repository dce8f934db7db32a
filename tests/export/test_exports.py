"""Exported models predict as their run does, in programs that know nothing of dlcourse."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import TINY, composed

from dlcourse.api.exported import ExportedModel
from dlcourse.api.run import Run
from dlcourse.engine.run import run

CLOSE = 1e-5  # of probability
SMALL_VIT = ("model=vit", "model.width=16", "model.depth=1", "model.heads=2", "model.hidden=32")
RUNS = {
    "lenet": ("model=lenet", "view=[mirror]"),
    "resnet20": ("model=resnet20", "model.width=4"),
    "vit": SMALL_VIT,
    "table": ("data=csv", "data.file=table.csv"),
}
WITHOUT_DLCOURSE = """\
import json, sys
import numpy as np
import onnxruntime
import torch

for folder in sys.argv[1:]:
    facts = json.load(open(f"{folder}/model.json"))
    inputs = np.load(f"{folder}/../inputs.npy")
    if facts["format"] == "onnx":
        session = onnxruntime.InferenceSession(f"{folder}/model.onnx")
        classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
        (found,) = session.run(["probabilities"], {facts["input"]["name"]: inputs})
    else:
        extra = {"model.json": ""}
        model = torch.export.load(f"{folder}/model.pt2", extra_files=extra).module()
        classes = json.loads(extra["model.json"])["classes"]
        with torch.no_grad():
            found = model(torch.from_numpy(inputs)).numpy()
    assert classes == facts["classes"]
    np.save(f"{folder}/found.npy", found)
assert not [name for name in sys.modules if name.startswith("dlcourse")]
"""


def write_table(folder):
    """Write a table of three columns in units of their own, and a class that they decide."""
    random = np.random.default_rng(0)
    columns = random.normal(size=(60, 3)) * [1, 1000, 0.01] + [0, 5000, 3]
    names = np.where(columns[:, 1] > 5000, "high", "low")
    lines = [
        f"{a:.3f},{b:.1f},{c:.5f},{name}" for (a, b, c), name in zip(columns, names, strict=True)
    ]
    (folder / "table.csv").write_text("\n".join(["a,b,c,target", *lines]) + "\n")


def raw_inputs(one):
    """Return 40 examples of a run's test part, as its exports take them."""
    inputs = one.dataset.test.inputs[:40].numpy()
    return inputs if inputs.dtype == np.uint8 else inputs.astype(np.float32)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, data_root):
    """Return the finished runs by name; all have trained for two epochs."""
    made = {}
    for name, overrides in RUNS.items():
        folder = tmp_path_factory.mktemp(name) / "run"
        root = data_root
        if name == "table":
            root = folder.parent
            write_table(root)
        less = [one for one in TINY if name != "table" or not one.startswith("data.")]
        run(composed(f"data.root={root}", *less, *overrides), folder)
        made[name] = Run(folder)
    return made


@pytest.fixture(scope="module")
def exports(runs):
    """Return the folders of ONNX and torch.export by run and format, and the inputs beside them."""
    made = {}
    for name, one in runs.items():
        for format in ("onnx", "torch_export"):
            made[name, format] = one.export(format)
        np.save(one.folder / "export/inputs.npy", raw_inputs(one))
    return made


@pytest.fixture(scope="module")
def found(exports, tmp_path_factory):
    """Return the predictions of a new process that imports numpy, ONNX Runtime and torch alone."""
    program = [sys.executable, "-W", "ignore", "-c", WITHOUT_DLCOURSE]
    folder = tmp_path_factory.mktemp("elsewhere")
    ended = subprocess.run(
        [*program, *map(str, exports.values())], cwd=folder, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return {key: torch.from_numpy(np.load(at / "found.npy")) for key, at in exports.items()}


@pytest.mark.parametrize("format", ["onnx", "torch_export"])
@pytest.mark.parametrize("name", RUNS)
def test_an_export_predicts_the_same_in_a_process_without_dlcourse(runs, found, name, format):
    one = runs[name]
    inputs = raw_inputs(one)
    expected = one.predict(inputs)
    assert (found[name, format] - expected).abs().max() < CLOSE
    raw = torch.from_numpy(inputs).float()
    unstandardised = one.model.network(raw).softmax(1)  # the control
    assert (unstandardised - expected).abs().max() > 100 * CLOSE


def test_without_its_views_an_export_predicts_something_else(runs, found, tmp_path):
    one = runs["lenet"]
    plain = one.export("torchscript", to=tmp_path / "plain", views=False)
    inputs = raw_inputs(one)
    without = ExportedModel(plain).predict(inputs)
    assert (without - one.model(torch.from_numpy(inputs)).softmax(1)).abs().max() < CLOSE
    assert (without - found["lenet", "onnx"]).abs().max() > 100 * CLOSE


@pytest.mark.parametrize("format", ["safetensors", "state_dict"])
def test_exported_weights_are_rebuilt_to_the_same_model(runs, tmp_path, format):
    one = runs["resnet20"]
    exported = ExportedModel(one.export(format, to=tmp_path / "weights"))
    inputs = raw_inputs(one)
    assert (exported.predict(inputs) - one.predict(inputs)).abs().max() < CLOSE
    names = set(one.model.network.state_dict()) | {"standardize.mean", "standardize.scale"}
    assert set(exported.facts["weights"]) == names
    for name in exported.facts["weights"]:
        assert f"`{name}`" in exported.card
