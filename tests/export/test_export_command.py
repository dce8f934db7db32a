"""``dlcourse export``: its messages, what it leaves behind, and exported folders as arguments."""

import json
import shutil
import sys

import pytest
import torch
from conftest import TINY, composed

import dlcourse
from dlcourse.api.run import Run
from dlcourse.commands import export
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.export.formats import EXPORT_FORMATS
from dlcourse.runs.run_folder import make_folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data_root):
    folder = tmp_path_factory.mktemp("trained") / "run"
    small = ("model=mlp", "model.widths=[8]", "data.test_examples=80")
    run(composed(f"data.root={data_root}", *TINY, *small), folder)
    return folder


@pytest.fixture(scope="module")
def exported(trained):
    """Return the folder of an export that the tests do not change."""
    return Run(trained).export("state_dict")


@pytest.fixture
def refused(trained, tmp_path):
    """Return a function that exports with wrong arguments; it returns the message."""

    def go(*arguments):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(UserError) as error:
            export.main([f"run={trained}", f"to={tmp_path / 'new'}", *arguments])
        assert sorted(tmp_path.rglob("*")) == before  # nothing is left behind
        return str(error.value)

    return go


def test_the_command_prints_what_it_wrote_and_the_largest_difference(trained, tmp_path, capsys):
    export.main([str(trained), "format=torchscript", f"to={tmp_path / 'new'}"])
    printed = capsys.readouterr().out
    assert "holds model.pt (" in printed
    assert "of probability, over 80 test examples in batches of 1, 7, 64 and 8" in printed
    assert sorted(one.name for one in (tmp_path / "new").iterdir()) == [
        "README.md", "model.json", "model.pt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["format=onxx"], "did you mean onnx?"),
        (["onnx"], "onnx has no format= in front"),
        ([], "format= is missing"),
        (["format=torchscript", "opset=18"], "opset= belongs to format=onnx"),
        (["format=onnx", "opset=9"], "opset takes a whole number of at least 18 and at most 25"),
        (["format=onnx", "fold=1"], "has one model and no folds"),
        (["format=onnx", "tolerance=-1"], "tolerance takes a number of at least 0"),
        (["format=onnx", "verify=tset"], "did you mean test?"),
        (["format=onnx", "views=maybe"], "allowed: false, true"),
        (["format=state_dict", "tolerance=0"], "Nothing was written"),
    ],
)
def test_a_wrong_export_is_refused_with_a_message(refused, arguments, message, monkeypatch):
    if "tolerance=0" in arguments:
        monkeypatch.setattr(
            "dlcourse.export.to_state_dict.read_format",
            lambda path, facts: lambda inputs: torch.full((len(inputs), 10), 0.1),
        )
    assert message in refused(*arguments)


def test_a_missing_extra_is_refused_before_torch_is_needed(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    message = refused("format=onnx")
    assert "format=onnx needs onnxscript, which is not installed" in message
    assert "pip install 'dlcourse[onnx]'" in message


def test_an_existing_folder_and_an_unfinished_run_are_refused(trained, exported, tmp_path):
    with pytest.raises(UserError, match="is already there, and an export replaces nothing"):
        export.main([str(trained), "format=state_dict"])
    assert (exported / "model_weights.pt").exists()
    unfinished = make_folder(tmp_path / "unfinished")
    with pytest.raises(UserError, match="holds no finished run"):
        export.main([str(unfinished), "format=state_dict"])
    with pytest.raises(UserError, match="is an exported model, not a run"):
        export.main([str(exported), "format=state_dict"])


def test_random_inputs_verify_an_export_where_the_data_are_not_available(trained, tmp_path, capsys):
    away = f"data.root={tmp_path / 'nowhere'}"
    typed = [str(trained), "format=torchscript", f"to={tmp_path / 'new'}", away]
    export.main([*typed, "verify=random"])
    assert "over 256 random inputs" in capsys.readouterr().out


def test_load_opens_an_exported_folder_without_data_and_trust(trained, exported):
    model = dlcourse.load(exported)
    one = dlcourse.load(trained)
    images = one.dataset.test.inputs[:20]
    assert isinstance(model, dlcourse.ExportedModel)
    assert (model.predict(images) - one.predict(images)).abs().max() < 1e-5
    assert model.classes == one.classes
    assert model.facts["metrics"]["test"] == one.result["test"]
    assert model.facts["config"]["model"] == one.config["model"]
    assert "root" not in model.facts["config"]["data"]
    for text in ("mlp on digits", "test/accuracy", "To fill in", "_target_: dlcourse.model.mlp"):
        assert text in model.card
    with pytest.raises(UserError, match="this run takes raw images"):
        model.predict(images.float())
    with pytest.raises(UserError, match="predicts on the CPU"):
        dlcourse.load(exported, device="cuda")


def changed(exported, tmp_path, **facts):
    """Return a copy of an export with other facts."""
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    known = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps(known | facts))
    return copy


def test_damaged_newer_and_foreign_exports_are_refused(exported, tmp_path):
    images = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    copy = changed(exported, tmp_path / "a", format_version=99)
    with pytest.raises(UserError, match="was written by a newer dlcourse"):
        dlcourse.load(copy)
    copy = changed(exported, tmp_path / "b")
    path = copy / EXPORT_FORMATS["state_dict"].file
    path.write_bytes(path.read_bytes()[:-9] + b"123456789")
    with pytest.raises(UserError, match="has changed since it was exported"):
        dlcourse.load(copy).predict(images)
    config = json.loads((exported / "model.json").read_text())["config"]
    config["model"] = {"_target_": "os.system", "command": "false"}
    with pytest.raises(UserError, match=r"calls os\.system, which is neither part of dlcourse"):
        dlcourse.load(changed(exported, tmp_path / "c", config=config)).predict(images)
