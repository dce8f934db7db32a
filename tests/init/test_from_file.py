"""Weights of other programs: formats, names, mismatches, and no code."""

import argparse
import logging
import sys

import pytest
import torch
from conftest import prepared
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from dlcourse.engine.assemble import make_state
from dlcourse.engine.datasets import load_data
from dlcourse.engine.instantiate import build
from dlcourse.engine.reopen import config_of
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.schema.validate import check
from dlcourse.weights.positions import resized_positions


class Trap:
    def __reduce__(self):
        return exec, ("raise RuntimeError('ran')",)


@pytest.fixture
def lenet(compose):
    """Return a function that makes LeNet-5 with other random weights at each call."""
    return lambda classes=10, *more: build(compose("model=lenet", *more)["model"])(
        (1, 28, 28), classes
    )


@pytest.fixture
def load(compose, tmp_path):
    """Return a function that loads a file of this folder into a model, with ``init`` options."""

    def into(model, name, *options):
        init = build(compose("init=from_file", f"init.file={tmp_path / name}", *options)["init"])
        init(model)
        return model.origin

    return into


def equal_names(first, second):
    own, other = first.state_dict(), second.state_dict()
    return {name for name in own if torch.equal(own[name], other[name])}


WRAPPED = {
    "plain.pth": lambda state: state,
    "parallel.tar": lambda state: {
        "epoch": 3, "state_dict": {f"module.{name}": one for name, one in state.items()},
        "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}}, "loss": torch.tensor(0.5),
    },
    "lightning.ckpt": lambda state: {
        "state_dict": {f"model._orig_mod.{name}": one for name, one in state.items()},
        "hyper_parameters": argparse.Namespace(lr=0.1),
    },
    "averaged.pt": lambda state: {
        "model_ema": {f"module.{n}": one for n, one in state.items()}
        | {"n_averaged": torch.tensor(4)},
    },
    "nested.bin": lambda state: {"net": {"model_state_dict": state}, "args": {"lr": 0.1}},
}  # fmt: skip


@pytest.mark.parametrize("name", WRAPPED)
def test_every_way_of_storing_weights_gives_the_same_model(name, lenet, load, tmp_path):
    theirs, ours = lenet(), lenet()
    assert equal_names(theirs, ours) == set(), "the control"
    torch.save(WRAPPED[name](theirs.state_dict()), tmp_path / name)
    assert load(ours, name).startswith(f"10 of 10 tensors from {name}")
    assert len(equal_names(theirs, ours)) == 10


def test_wrappers_of_torch_are_understood(lenet, load, tmp_path):
    theirs, ours = lenet(), lenet()
    wrapped = torch.compile(nn.DataParallel(theirs))
    torch.save(wrapped.state_dict(), tmp_path / "weights.pth")
    assert "without the prefix _orig_mod. module." in load(ours, "weights.pth")
    assert len(equal_names(theirs, ours)) == 10


def test_safetensors_are_read_and_a_damaged_file_is_refused(lenet, load, tmp_path):
    theirs, ours = lenet(), lenet()
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    load(ours, "weights.safetensors")
    assert len(equal_names(theirs, ours)) == 10
    content = (tmp_path / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(content[:1000])
    with pytest.raises(UserError, match="cannot be read as weights"):
        load(ours, "weights.safetensors")


def test_a_missing_package_for_safetensors_is_refused_before_the_data_are_read(
    compose, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "weights.safetensors").write_bytes(b"not read")
    file = tmp_path / "weights.safetensors"
    for overrides in (
        ["init=from_file", f"init.file={file}"],
        ["model=torchvision", f"model.weights={file}"],
    ):
        with pytest.raises(UserError, match=r"pip install 'dlcourse\[safetensors\]'"):
            check(compose(*overrides))


def test_code_in_a_file_is_refused_and_never_run(lenet, load, tmp_path):
    torch.save({"state_dict": lenet().state_dict(), "trap": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(RuntimeError, match="ran"):  # the control: torch would run it
        torch.load(tmp_path / "trap.pth", weights_only=False)
    with pytest.raises(UserError, match=r"(?s)code from a file is never run.*state_dict\(\)"):
        load(lenet(), "trap.pth")
    torch.save(lenet(), tmp_path / "whole.pth")
    with pytest.raises(UserError, match=r"would run dlcourse\.model\.lenet"):
        load(lenet(), "whole.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "cannot be read as weights"),
        (b"PK\x03\x04 not an archive", "cannot be read as weights"),
        ({"lr": 0.1, "epoch": 3}, "its keys are lr, epoch"),
        ([torch.zeros(2)], "it holds a list"),
    ],
)
def test_files_without_weights_are_refused(content, message, lenet, load, tmp_path):
    if isinstance(content, bytes):
        (tmp_path / "wrong.pth").write_bytes(content)
    else:
        torch.save(content, tmp_path / "wrong.pth")
    with pytest.raises(UserError, match=message):
        load(lenet(), "wrong.pth")


def test_other_classes_leave_the_output_layer_as_it_is(lenet, load, tmp_path):
    theirs, ours = lenet(7), lenet(10)
    before = ours.classifier[-1].weight.clone()
    torch.save(theirs.state_dict(), tmp_path / "seven.pth")
    assert "a new output layer (classifier.4.bias, classifier.4.weight)" in load(ours, "seven.pth")
    assert torch.equal(ours.classifier[-1].weight, before)
    assert torch.equal(ours.features[0].weight, theirs.features[0].weight)


def test_mismatches_are_listed_and_strict_decides(lenet, load, tmp_path, caplog):
    state = lenet().state_dict()
    state["extra.weight"] = torch.zeros(2)
    state["features.0.weight"] = torch.zeros(6, 3, 5, 5)
    del state["features.3.bias"]
    torch.save(state, tmp_path / "odd.pth")
    listed = [
        "missing in the file: features.3.bias",
        "only in the file: extra.weight",
        "other shape: features.0.weight: 6 x 3 x 5 x 5 in the file, 6 x 1 x 5 x 5 here",
    ]
    ours = lenet()
    before = ours.features[0].weight.clone()
    with pytest.raises(UserError, match=r"init\.strict=false") as caught:
        load(ours, "odd.pth")
    assert all(line in str(caught.value) for line in listed)
    with caplog.at_level(logging.WARNING):
        assert load(ours, "odd.pth", "init.strict=false").startswith("8 of 10 tensors")
    assert all(line in caplog.text for line in listed)
    assert torch.equal(ours.features[0].weight, before)


def test_long_lists_of_mismatches_are_cut(lenet, load, tmp_path):
    torch.save({f"other{n}": torch.zeros(1) for n in range(50)}, tmp_path / "other.pth")
    with pytest.raises(
        UserError, match=r"(?s)0 of its tensors.*only in the file: 44 more"
    ) as error:
        load(lenet(), "other.pth", "init.strict=false")
    assert len(str(error.value).splitlines()) == 16


def test_names_can_be_changed_and_left_out(lenet, load, tmp_path):
    theirs, ours = lenet(), lenet()
    before = ours.classifier[2].weight.clone()
    state = {
        name.replace("features", "encoder.body"): one for name, one in theirs.state_dict().items()
    }
    torch.save(state, tmp_path / "other.pth")
    rename = "init.rename={encoder.body.*.*: features.*.*}"
    load(ours, "other.pth", rename, "init.exclude=[classifier.2.*]")
    assert torch.equal(ours.features[3].weight, theirs.features[3].weight)
    assert torch.equal(ours.classifier[2].weight, before)
    with pytest.raises(UserError, match=r"init\.exclude: fc\.\* fits no name"):
        load(ours, "other.pth", rename, "init.exclude=[fc.*]")
    with pytest.raises(UserError, match=r"init\.rename: body\.\* fits no name"):
        load(ours, "other.pth", "init.rename={body.*: features.*}")


def test_position_embeddings_are_interpolated_like_the_grid_of_patches(compose, load, tmp_path):
    options = ["model=vit_tiny", "model.width=24", "model.heads=3", "model.depth=1"]
    theirs, ours = (build(compose(*options)["model"])((3, side, side), 10) for side in (32, 48))
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")
    assert "positions interpolated" in load(ours, "vit.pth")
    old, new = theirs.positions.detach(), ours.positions.detach()
    assert torch.equal(new[:, 0], old[:, 0]), "the class token has no place"
    grid = old[:, 1:].transpose(1, 2).reshape(1, 24, 8, 8)
    expected = F.interpolate(grid, (12, 12), mode="bicubic", antialias=True)
    torch.testing.assert_close(new[:, 1:], expected.flatten(2).transpose(1, 2))
    assert resized_positions(torch.zeros(1, 7, 4), torch.zeros(1, 17, 4)) is None


def test_a_run_resumes_and_is_evaluated_without_the_file(lenet, tiny, tmp_path):
    file = tmp_path / "weights.pth"
    torch.save(lenet().state_dict(), file)
    overrides = ["model=lenet", "init=from_file", f"init.file={file}"]
    run(tiny(*overrides, "max_epochs=3"), tmp_path / "whole", overrides)
    run(tiny(*overrides, "max_epochs=1"), tmp_path / "parts", overrides)
    file.unlink()
    (tmp_path / "parts/result.json").unlink()
    stored = config_of(tmp_path / "whole", "")
    assert stored["init"]["file"] == str(file)
    cfg = tiny(*overrides, "max_epochs=3")
    make_state(cfg, build(cfg["runtime"])(), load_data(cfg))  # from a checkpoint
    with pytest.raises(UserError, match="does not exist"):
        prepared(cfg)
    run(cfg, tmp_path / "parts", [*overrides, "max_epochs=3"])
    first, second = (
        torch.load(tmp_path / name / "checkpoints/last.pt")["model"] for name in ("whole", "parts")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
