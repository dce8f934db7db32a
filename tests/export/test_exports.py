"""Exported models predict as their run does, in programs that know nothing of dlcourse."""

import shutil
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
import torch
from conftest import TINY, composed
from PIL import Image
from torch import nn

from dlcourse.api.exported import ExportedModel
from dlcourse.api.run import Run
from dlcourse.commands import predict
from dlcourse.core import Standardize
from dlcourse.engine.ensemble import average
from dlcourse.engine.instantiate import build
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.export import to_torch_export, to_torchscript
from dlcourse.export.verify import compare_predictions
from dlcourse.export.whole_model import (
    FoldModel,
    WholeModel,
    predictions_of,
    standardizing,
    without_data_dependence,
)
from dlcourse.introspect.classification import as_probabilities

CLOSE = 1e-5  # of probability
SMALL_VIT = ("model=vit", "model.width=16", "model.depth=1", "model.heads=2", "model.hidden=32")
RUNS = {
    "lenet": ("model=lenet", "view=[mirror]"),
    "resnet8": ("model=resnet20", "model.depth=8", "model.width=4"),
    "vit": SMALL_VIT,
    "table": ("data=csv", "data.file=table.csv", "data.missing=mean"),
}
WITHOUT_DLCOURSE = """\
import json, os, sys
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
    card = open(f"{folder}/README.md").read()
    os.chdir(folder)
    exec(card.split("```python")[1].split("```")[0])  # the program on the card
    np.save(f"{folder}/found.npy", found)
assert not [name for name in sys.modules if name.startswith("dlcourse")]
"""


def write_table(folder):
    """Write a table with a text, a time in seconds and missing cells, and a class they decide."""
    random = np.random.default_rng(0)
    times = 1_700_000_000 + random.normal(size=60) * 100
    heights = [f"{h:.5f}" if h > 2.99 else "" for h in random.normal(size=60) * 0.01 + 3]
    names = np.where(times > 1_700_000_000, "late", "early")
    rows = zip(random.choice(["red", "blue"], 60), times, heights, names, strict=True)
    lines = [f"{colour},{time:.3f},{height},{name}" for colour, time, height, name in rows]
    (folder / "table.csv").write_text("\n".join(["colour,time,height,target", *lines]) + "\n")


def raw_inputs(one):
    """Return 40 examples of a run's test part, as its exports take them."""
    return one.dataset.test.inputs[:40].numpy()


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
        less = [*TINY, "data.test_examples=80"]
        if name == "table":
            less = [one for one in TINY if not one.startswith("data.")]
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
    raw = torch.from_numpy(inputs).float().nan_to_num()
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
    one = runs["resnet8"]
    exported = ExportedModel(one.export(format, to=tmp_path / "weights"))
    inputs = raw_inputs(one)
    assert (exported.predict(inputs) - one.predict(inputs)).abs().max() < CLOSE
    names = set(one.model.network.state_dict()) | {"standardize.mean", "standardize.scale"}
    assert set(exported.facts["weights"]) == names
    for name in exported.facts["weights"]:
        assert f"`{name}`" in exported.card


def test_folds_are_exported_as_their_average_or_one_of_them(data_root, tmp_path):
    overrides = ("model=mlp", "split=kfold", "split.folds=2", "data.test_examples=80")
    run(composed(f"data.root={data_root}", *TINY, *overrides, "loss=bce"), tmp_path / "run")
    whole = Run(tmp_path / "run")
    inputs = raw_inputs(whole)
    average = ExportedModel(whole.export("torchscript")).predict(inputs)
    assert (average - whole.predict(inputs)).abs().max() < CLOSE
    second = ExportedModel(whole.export("torchscript", fold=1)).predict(inputs)
    assert (second - whole.folds[1].predict(inputs)).abs().max() < CLOSE
    assert (second - average).abs().max() > 100 * CLOSE
    weights = ExportedModel(whole.export("state_dict"))
    assert (weights.predict(inputs) - average).abs().max() < CLOSE
    with pytest.raises(UserError, match=r"fold=2: .* has the folds 0 to 1"):
        whole.export("torchscript", fold=2)


def test_a_regression_is_exported_with_its_values(data_root, tmp_path):
    overrides = ("data=diabetes", "model=mlp", "runtime.precision=bf16")
    run(composed(f"data.root={data_root}", *TINY, *overrides), tmp_path / "run")
    one = Run(tmp_path / "run")
    exported = ExportedModel(one.export("torch_export"))
    inputs = raw_inputs(one)
    plain = one.model.network.float()(one.model.standardize(torch.from_numpy(inputs)))
    found = exported.predict(inputs)
    assert exported.facts["output"]["name"] == "values"
    assert (found - plain).abs().max() < CLOSE * plain.abs().max()
    assert (found - one.predict(inputs)).abs().max() > 10 * CLOSE * plain.abs().max()  # in bf16


HARD = {
    "cascade": ("model=cascade", (1, 6, 6)),
    "polynomial": ("model=polynomial", (3,)),
    "rrelu": ("model=mlp model.activation=rrelu model.widths=[4]", (3,)),
    "gru": ("model=rnn model.cell=gru model.hidden=8", (1, 6, 6)),
    "stochastic": ("model=convnet model.pool=stochastic", (1, 8, 8)),
}
"""Models with loops over their own tensors, and operations that ONNX has not."""


@pytest.mark.parametrize(
    ("name", "format"),
    [(name, "torchscript") for name in HARD]
    + [(name, "onnx") for name in ("cascade", "polynomial", "rrelu")],
)
def test_models_with_unusual_operations_take_any_number_of_examples(name, format, tmp_path):
    overrides, shape = HARD[name]
    network = build(composed(*overrides.split())["model"])(shape, 3).eval()
    if name == "cascade":
        network.installed.fill_(2)
        network.weights.normal_()
    one = torch.tensor(1.0)
    member = FoldModel(network, standardizing(Standardize(one, one)), [])
    model = WholeModel({"model": member}, kind="softmax", task="classification").eval()
    inputs = torch.randn(9, *shape)
    with torch.no_grad():
        expected = model(inputs)
    member.network = without_data_dependence(network)
    facts = {"input": {"name": "x"}, "output": {"name": "y"}, "classes": []}
    module = import_module(f"dlcourse.export.to_{format}")
    module.write_format(model, torch.zeros(5, *shape), tmp_path / "model", facts, None)
    opened = module.read_format(tmp_path / "model", facts)
    for batch in (inputs[:1], inputs):
        assert (opened(batch) - expected[: len(batch)]).abs().max() < CLOSE


class TwoWays(nn.Module):
    """A model of one's own that takes the number of examples from ``len``."""

    def forward(self, inputs):
        return inputs + torch.zeros(1, 4).expand(len(inputs), -1)


def test_a_model_that_uses_len_is_exported_by_torch_export_but_not_by_torchscript(tmp_path):
    example, inputs = torch.zeros(5, 4), torch.randn(8, 4)
    to_torch_export.write_format(TwoWays(), example, tmp_path / "model.pt2", {}, None)
    opened = to_torch_export.read_format(tmp_path / "model.pt2", {})
    assert torch.equal(opened(inputs), inputs)
    to_torchscript.write_format(TwoWays(), example, tmp_path / "model.pt", {}, None)
    fixed = to_torchscript.read_format(tmp_path / "model.pt", {})
    with pytest.raises(UserError, match=r"fails for a batch of 7: .*size of tensor"):
        compare_predictions(fixed, inputs, inputs, "regression")


def test_an_export_of_a_table_predicts_its_file(runs, exports, tmp_path):
    one, folder = runs["table"], exports["table", "onnx"]
    file = one.folder.parent / "table.csv"
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder, elsewhere)
    expected = one.predict(file)
    assert (ExportedModel(elsewhere).predict(file) - expected).abs().max() < CLOSE
    written = {}
    for name, source in {"run": one.folder, "export": elsewhere}.items():
        predict.main([f"run={source}", f"table={file}", f"csv={tmp_path / name}"])
        written[name] = (tmp_path / name).read_text().splitlines()
    assert written["run"][0] == written["export"][0] == "line,class,probability,early,late"
    cells = [[line.split(",")[1] for line in lines[1:]] for lines in written.values()]
    assert cells[0] == cells[1]


def test_predict_classifies_images_with_an_exported_folder(runs, exports, tmp_path, capsys):
    one, folder = runs["lenet"], exports["lenet", "torch_export"]
    Image.fromarray(raw_inputs(one)[3, 0]).save(tmp_path / "three.png")
    printed = []
    for source in (one.folder, folder):
        predict.main([f"run={source}", f"images={tmp_path / 'three.png'}"])
        printed.append(capsys.readouterr().out.splitlines())
    assert printed[0][0] == printed[1][0]
    first, second = (line[1].split(",")[2:] for line in printed)
    assert np.allclose([float(p) for p in first], [float(p) for p in second], atol=2e-6)


@pytest.mark.parametrize("models", [1, 3])
@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "scores"])
@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_members_are_averaged_as_a_run_averages_its_folds(task, kind, models):
    outputs = 3 * torch.randn(models, 20, 4)
    expected = as_probabilities(average(outputs, kind, task=task), task)
    assert (predictions_of(list(outputs), kind, task) - expected).abs().max() < 1e-6
