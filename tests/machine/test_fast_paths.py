"""``runtime.fast_paths=false`` switches off every fast path and gives exactly the same result."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT, prepared, same

from dlcourse.errors import UserError
from dlcourse.runs.migrate import migrated
from dlcourse.runtime import Runtime
from dlcourse.train.fit import fit

SNAPSHOT = """
import gc, hashlib, json, sys
from importlib import import_module
from pathlib import Path

import torch
import torch.utils.data
from torch.optim import Optimizer

import dlcourse.engine.fold, dlcourse.engine.run  # all classes of a run exist before the snapshot
import dlcourse.engine.job
from dlcourse.machine import malloc

import torch._dynamo  # these two replace functions of PyTorch by themselves
torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))]).step()

calls = []
malloc.ctypes.CDLL = lambda name: calls.append("mallopt")


def derived(kind):
    return {kind}.union(*(derived(child) for child in kind.__subclasses__()))


def snapshot():
    owners = [torch, torch.nn.functional, sys.modules["torch.optim.optimizer"], torch.Tensor,
              torch.nn.Module, torch.nn.Linear, torch.nn.Conv2d, *derived(Optimizer)]
    return {(id(owner), name): value for owner in owners for name, value in vars(owner).items()
            if callable(value)}


def changed(before):
    after = snapshot()
    return sorted({name for (owner, name), value in before.items()
                   if after.get((owner, name)) is not value})


made = []
true_state = dlcourse.engine.fold.make_state


def keep(*arguments):
    made.append(true_state(*arguments))
    return made[-1]


dlcourse.engine.fold.make_state = keep
folder, *overrides = sys.argv[1:]
before, frozen = snapshot(), gc.get_freeze_count()
sys.argv = ["train.py", *overrides, f"hydra.run.dir={folder}"]
from dlcourse.cli import main

try:
    main()
except SystemExit as end:
    assert not end.code, end
optimizer, model = made[0].optimizer, made[0].model
print("FOUND", json.dumps({
    "classes": changed(before),
    "optimizer": sorted({"step", "zero_grad"} & vars(optimizer).keys()),
    "layers": sorted({type(layer).__name__ for layer in model.modules()}),
    "frozen": gc.get_freeze_count() > frozen,
    "malloc": calls,
}))
"""


def patches(folder, *overrides):
    """Return what a run in a separate process has patched."""
    common = ["model=lenet", "optim=adam", "data.examples=60", "max_epochs=1", "observe=[]"]
    ended = subprocess.run(
        [sys.executable, "-c", SNAPSHOT, folder, *common, *overrides],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.partition("FOUND ")[2])


def test_without_fast_paths_nothing_of_torch_is_patched(tmp_path):
    found = patches(tmp_path / "plain", "runtime=plain")
    assert found["classes"] == found["optimizer"] == found["malloc"] == []
    assert "LinearByConvolution" not in found["layers"]


def test_the_comparison_finds_every_fast_path(tmp_path):
    found = patches(tmp_path / "fast", "runtime.linear=convolution")
    assert "zero_grad" in found["classes"]
    assert found["optimizer"] == ["step", "zero_grad"]
    assert found["malloc"] == ["mallopt"]
    assert "LinearByConvolution" in found["layers"]


@pytest.mark.parametrize("overrides", [
    ["model=mlp", "optim=sgd"],
    ["model=mlp", "optim=nesterov", "optim.weight_decay=0.01"],
    ["model=mlp", "optim=adam", "average=ema"],
    ["model=mlp", "optim=adamw", "clip=norm"],
    ["model=mlp", "optim=muon"],
    ["model=mlp", "optim=sam"],
    ["model=mlp", "optim=rmsprop"],
    ["model=convnet", "optim=adam", "augment=[crop,flip]", "runtime.channels_last=true"],
])  # fmt: skip
def test_training_with_and_without_fast_paths_gives_equal_weights_and_history(overrides, tiny):
    histories, models = [], []
    for fast in ("true", "false"):
        keys = [f"runtime.fast_paths={fast}", f"runtime.keep_memory={fast}"]
        state, fold, recipe = prepared(tiny(*overrides, "runtime.linear=products", *keys))
        assert ("step" in vars(state.optimizer)) == (
            fast == "true" and overrides[1] not in ("optim=muon", "optim=sam", "optim=rmsprop")
        )
        fit(state, fold, recipe)
        models.append(state.model)
        histories.append([
            {key: value for key, value in record.metrics.items() if "second" not in key}
            for record in state.history
        ])  # fmt: skip
    assert same(*models)
    assert histories[0] == histories[1]


def test_without_fast_paths_there_are_no_graphs_and_no_linear_layers_by_convolution(monkeypatch):
    options = {
        "device": "cpu", "precision": "fp32", "threads": None, "channels_last": False,
        "linear": "auto", "fused_layers": "auto", "keep_memory": True, "graph": True,
        "compile": False,
        "anomaly": False,
        "deterministic": False, "devices": 1, "batch_norm": "synchronised", "fast_paths": False,
    }  # fmt: skip
    runtime = Runtime(**options)
    assert runtime.linear == "products"
    assert not runtime.graph
    with pytest.raises(UserError, match=r"(?s)fast_paths=false.*Type runtime[.]linear"):
        Runtime(**options | {"linear": "convolution"})


@pytest.mark.parametrize(("changes", "fast"), [
    ({}, False), ({"keep_memory": True}, True), ({"fast_paths": False, "graph": True}, False),
])  # fmt: skip
def test_an_older_config_without_fast_paths_gets_the_value_of_its_runtime_choice(changes, fast):
    plain = {
        "_target_": "dlcourse.runtime.Runtime", "channels_last": False, "linear": "products",
        "keep_memory": False, "graph": False,
    }  # fmt: skip
    assert migrated({"runtime": plain | changes})["runtime"]["fast_paths"] is fast
