"""The runtime: device, memory format and compiling change the speed and not the results."""

import re
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import nn

import dlcourse
from dlcourse import runtime
from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError
from dlcourse.runtime import Runtime, refuse_without_tf32
from dlcourse.train import meter

PLAIN, NHWC = "runtime.channels_last=false", "runtime.channels_last=true"
IMAGES = (7, 1, 28, 28)


def gradients(cfg, weights: dict) -> dict:
    """Return the gradients, by parameter, of the sum of a model's squared outputs."""
    runtime = build(cfg["runtime"])()
    model = build(cfg["model"])(IMAGES[1:], 10)
    model.load_state_dict(weights)
    runtime.place(model, IMAGES[1:])
    images = torch.randn(IMAGES, generator=torch.Generator().manual_seed(0))
    model(runtime.prepare(IMAGES[1:])(images)).square().sum().backward()
    return {name: weight.grad for name, weight in model.named_parameters()}


@pytest.mark.parametrize(
    "overrides", [["model=resnet18", "model.width=8"], ["model=nfnet", "model.widths=[8,12]"]]
)
def test_narrow_shortcuts_have_the_same_gradients_in_both_memory_formats(overrides, compose):
    torch.set_num_threads(2)
    weights = build(compose(*overrides)["model"])(IMAGES[1:], 10).state_dict()
    plain, nhwc = (
        gradients(compose("runtime=cpu", *overrides, order), weights) for order in (PLAIN, NHWC)
    )
    assert plain.keys() == nhwc.keys()
    for name, gradient in plain.items():
        scale = gradient.abs().max() + 1e-6
        assert (nhwc[name] - gradient).abs().max() / scale < 1e-3, name


@pytest.mark.parametrize(("channels", "stride"), [(8, (1, 1)), (16, (2, 2))])
def test_only_narrow_strided_layers_get_stride_1_and_subsampled_inputs(channels, stride, compose):
    runtime = build(compose("runtime=cpu", NHWC)["runtime"])()
    model = nn.Sequential(nn.Conv2d(channels, 4, 1, 2))
    runtime.place(model, (channels, 8, 8))
    assert model[0].stride == stride
    assert model(torch.randn(2, channels, 8, 8)).shape == (2, 4, 4, 4)


def test_compiling_without_a_compiler_is_refused(compose, monkeypatch):
    make = build(compose("runtime=cpu", "runtime.compile=true")["runtime"])
    monkeypatch.setenv("CXX", "/no/such/compiler")
    with pytest.raises(UserError, match=r"needs a C\+\+ compiler, and /no/such/compiler is not"):
        make()
    monkeypatch.setenv("CXX", sys.executable)  # any program that exists
    model = make().place(nn.Linear(2, 2), (2,))
    assert model._compiled_call_impl is not None


MAKE = {
    "device": "auto", "precision": "fp32", "threads": None, "channels_last": "auto",
    "linear": "auto", "fused_layers": "auto", "fast_paths": True, "keep_memory": False,
    "graph": True, "compile": False,
    "anomaly": False,
    "deterministic": False, "devices": 1, "batch_norm": "synchronised",
}  # fmt: skip


@pytest.fixture
def apple(monkeypatch):
    """Let PyTorch report an Apple GPU; nothing runs on it."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_an_apple_gpu_is_found_and_untested_fast_paths_stay_off_on_it(apple):
    runtime = Runtime(**MAKE)
    assert runtime.device.type == "mps"
    assert runtime.graph is False
    assert runtime.channels_last is False
    assert "Apple" in runtime.describe()


@pytest.mark.parametrize(("change", "message"), [
    ({"precision": "fp64"}, "fp64 is not supported by Apple's GPUs"),
    ({"precision": "fp16"}, "fp16 needs CUDA, and this run is on an Apple GPU"),
    ({"compile": True}, "not supported on an Apple GPU"),
])  # fmt: skip
def test_options_that_an_apple_gpu_does_not_support_are_refused(change, message, apple):
    with pytest.raises(UserError, match=message):
        Runtime(**MAKE | change)


@pytest.mark.parametrize(("device", "capability", "name"), [
    ("cpu", None, "the CPU"), ("cuda", (7, 5), "an older GPU"), ("cuda", (9, 0), None)
])  # fmt: skip
def test_tf32_is_refused_where_no_hardware_has_it(device, capability, name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    expected = pytest.raises(UserError, match=f"is on {name}") if name else nullcontext()
    with expected:
        refuse_without_tf32(torch.device(device))


def test_a_run_does_not_inherit_the_tf32_of_an_earlier_run(monkeypatch):
    monkeypatch.setattr(runtime, "refuse_without_tf32", lambda device: None)
    own = MAKE | {"device": "cpu", "precision": "tf32"}
    try:
        assert Runtime(**own).dtype == torch.float32
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        Runtime(**own | {"precision": "fp32"})
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_missing_apple_gpu_is_refused():
    if not torch.backends.mps.is_available():
        with pytest.raises(UserError, match="PyTorch finds none here"):
            Runtime(**MAKE | {"device": "mps"})


def test_metrics_are_computed_on_the_cpu_if_the_device_has_no_float64(monkeypatch):
    outputs = torch.randn(6, 3)
    moved = []
    monkeypatch.setattr(meter, "has_float64", lambda device: False)
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self: moved.append(self) or self)
    taken = meter.Meter([])
    taken.add(outputs, torch.zeros(6, dtype=torch.int64), torch.tensor(1.0))
    assert taken.read("val") == {"val/loss": 1.0}
    assert any(tensor is outputs for tensor in moved)


FLOAT64 = {
    "has_float64": (
        "data/transforms.py", "augment/mixing.py", "optim/closed_form.py", "core/",
        "introspect/read_back.py",
    ),
    "metrics, which the meter moves to the CPU": (
        "metric/", "train/meter.py", "engine/result.py", "engine/ensemble.py",
        "engine/cross_validation.py", "engine/predictions.py", "engine/trained_model.py",
        "introspect/classification.py", "introspect/several_classes.py",
    ),
    "moved to the CPU first": (
        "introspect/linear_map.py", "introspect/loss_surface.py", "introspect/signals.py",
    ),
    "made on the CPU": (
        "permutations.py", "multilabel_division.py", "init/", "data/", "model/polynomial.py",
        "layer/activation.py",
        "introspect/gradient_check.py", "report/", "sweep/", "commands/check_gradient.py", "race/",
        "preview/", "observe/", "look/", "engine/retest.py", "engine/same_examples.py",
        "introspect/grid.py", "introspect/projection.py", "baseline/", "engine/new_table.py",
        "export/", "api/", "sampler/",
        "lecture/topics/",  # the bench opens all runs on the CPU
    ),
    "for runtime.precision=fp64": (
        "runtime.py", "engine/assemble.py", "schema/rules/", "together/losses.py",
    ),
}  # fmt: skip


def test_every_file_that_uses_float64_is_listed_as_safe_on_an_apple_gpu():
    source = Path(dlcourse.__file__).parent
    known = tuple(name for names in FLOAT64.values() for name in names)
    for path in source.rglob("*.py"):
        name = path.relative_to(source).as_posix()
        if re.search(r"\.double\(\)|float64", path.read_text()):
            assert name.startswith(known), f"{name}: see core.has_float64"
