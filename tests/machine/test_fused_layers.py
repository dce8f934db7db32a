"""Fused layers give the values, gradients and running statistics of PyTorch's own layers."""

import copy
import shutil

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from dlcourse.errors import UserError
from dlcourse.machine import compiled_library, fused_kernels, fused_layers
from dlcourse.machine.compiled_library import CannotCompileError, library
from dlcourse.machine.fused_layers import (
    FusedSequential,
    PoolByKernel,
    can_fuse_layers,
    norm_add_relu,
    use_fused_layers,
)
from dlcourse.model.resnet import FusedBlock
from dlcourse.model.resnet_cifar import ResNetCifar

try:
    library("fused_layers")
except CannotCompileError as error:
    pytest.skip(str(error), allow_module_level=True)

NHWC = torch.channels_last


def layers(channels: int) -> tuple[nn.BatchNorm2d, nn.ReLU]:
    """Return a batch norm with random numbers, and a ReLU."""
    norm = nn.BatchNorm2d(channels)
    for tensor in (*norm.parameters(), *list(norm.buffers())[:2]):
        tensor.detach().uniform_(0.5, 1.5)
    return norm, nn.ReLU()


def maps_of(*shape: int) -> torch.Tensor:
    """Return random maps in NHWC order whose mean is not zero."""
    return (2 * torch.randn(shape) + 3).contiguous(memory_format=NHWC)


def everything(norm, relu, tensors, apply):
    """Return outputs, gradients and buffers after a step with maps, added and outer."""
    maps, added, outer = tensors
    given = [part.clone().requires_grad_(True) for part in (maps, added) if part is not None]
    outputs = apply(norm, relu, *given)
    outputs.backward(outer)
    gradients = [part.grad for part in (*given, *norm.parameters())]
    return [outputs.detach(), *gradients, *norm.buffers()]


def as_listed(norm, relu, maps, added=None):
    """Apply PyTorch's layers one after the other."""
    return relu(norm(maps) if added is None else norm(maps) + added)


def as_fused(norm, relu, maps, added=None):
    """Apply the layers through the fast path, which must be possible."""
    assert fused_layers.can_fuse(norm, relu, maps)
    if added is None:
        return fused_layers.run_layers([norm, relu], maps)
    return norm_add_relu(norm, relu, maps, added)


@pytest.mark.parametrize("shape", [(8, 6, 8, 8), (4, 16, 6, 6), (3, 64, 5, 7), (2, 320, 3, 3)])
@pytest.mark.parametrize("adds", [False, True])
def test_a_step_equals_that_of_float64(shape, adds):
    norm, relu = layers(shape[1])
    exact = copy.deepcopy(norm).double()
    maps, outer = maps_of(*shape), maps_of(*shape)
    added = maps_of(*shape) - 3 if adds else None
    wide = [None if part is None else part.double() for part in (maps, added, outer)]
    expected = everything(exact, relu, wide, as_listed)
    found = everything(norm, relu, (maps, added, outer), as_fused)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other.double(), rtol=1e-4, atol=2e-4)
    assert found[0].is_contiguous(memory_format=NHWC)
    assert norm.num_batches_tracked == 1
    norm.eps = 1e-2  # the control: another epsilon is noticed
    other = everything(norm, relu, (maps, added, outer), as_fused)[0]
    assert not torch.allclose(other.double(), expected[0], rtol=1e-4, atol=2e-4)


def test_moments_are_exact_where_the_mean_is_large():
    maps = maps_of(32, 16, 16, 16) + 1000
    mean, variance = fused_kernels.batch_moments(maps)
    exact = maps.double()
    torch.testing.assert_close(mean.double(), exact.mean((0, 2, 3)), rtol=1e-6, atol=0)
    torch.testing.assert_close(
        variance.double(), exact.var((0, 2, 3), correction=0), rtol=1e-5, atol=0
    )


def test_a_step_in_bf16_rounds_once():
    norm, relu = layers(16)
    maps, added, outer = (maps_of(8, 16, 8, 8).bfloat16() - 3 for _ in range(3))
    found = everything(copy.deepcopy(norm), relu, (maps, added, outer), as_fused)
    wide = (part.float() for part in (maps, added, outer))
    expected = everything(norm, relu, wide, as_listed)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.float(), other.float(), rtol=2**-8, atol=2**-8)
    assert torch.equal(found[0], expected[0].bfloat16())


def test_evaluation_uses_the_running_statistics():
    norm, relu = layers(16)
    norm.eval()
    maps, added = maps_of(4, 16, 8, 8), maps_of(4, 16, 8, 8)
    before = copy.deepcopy(norm.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(
            as_fused(norm, relu, maps, added), as_listed(norm, relu, maps, added)
        )
    assert not fused_layers.can_fuse(norm, relu, maps), "a frozen norm is differentiated otherwise"
    assert all(torch.equal(norm.state_dict()[name], value) for name, value in before.items())


def test_the_number_of_threads_does_not_change_a_bit():
    maps, outer = maps_of(16, 16, 16, 16), maps_of(16, 16, 16, 16)
    threads, found = torch.get_num_threads(), []
    norm, relu = layers(16)
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(everything(copy.deepcopy(norm), relu, (maps, None, outer), as_fused))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("adds", [False, True])
def test_a_second_derivative_is_that_of_pytorch(adds):
    norm, relu = layers(16)
    found = []
    inputs, weights = maps_of(4, 16, 4, 4), torch.randn(4, 16, 4, 4)
    added = maps_of(4, 16, 4, 4) - 3 if adds else None
    for apply in (as_listed, as_fused):
        maps = inputs.clone().requires_grad_(True)
        outputs = apply(norm, relu, maps, *([] if added is None else [added]))
        (slope,) = torch.autograd.grad((outputs * weights).sum(), maps, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), (maps, norm.weight)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def network() -> nn.Module:
    """Return a residual network with all kinds of blocks, in NHWC order."""
    model = ResNetCifar(
        (3, 16, 16), 10, depth=8, width=8, skip=True, activation="relu", norm="batch"
    )
    return model.to(memory_format=NHWC)


def test_a_network_trains_as_before_under_the_same_names():
    usual = network()
    other = copy.deepcopy(usual)
    use_fused_layers(other)
    assert {FusedBlock, FusedSequential} <= {type(part) for part in other.modules()}
    assert list(other.state_dict()) == list(usual.state_dict())
    images, targets = maps_of(8, 3, 16, 16), torch.arange(8)
    for model in (usual, other):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(images), targets).backward()
            optimizer.step()
    for name, value in usual.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=1e-3, atol=1e-4)


def test_what_observes_a_network_sees_its_layers(monkeypatch):
    usual = network()
    other = copy.deepcopy(usual)
    use_fused_layers(other)
    images = maps_of(8, 3, 16, 16)
    seen: dict[str, list] = {"usual": [], "other": []}
    for name, model in (("usual", usual), ("other", other)):
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d | nn.ReLU):
                part.register_forward_hook(lambda _, given, out, name=name: seen[name].append(out))
        model(images)
    assert len(seen["usual"]) == 14
    assert all(torch.equal(one, two) for one, two in zip(seen["usual"], seen["other"], strict=True))

    other = network()
    use_fused_layers(other)
    monkeypatch.setattr(fused_kernels, "scale_add_relu", None)
    with FlopCounterMode(display=False):
        other(images)
    parameters: dict[str, torch.Tensor] = dict(other.named_parameters())
    torch.func.vmap(lambda one: torch.func.functional_call(other.eval(), parameters, one[None]))(
        images
    )
    other.get_submodule("stages").register_forward_hook(lambda *_: None)  # it is not fused itself
    with pytest.raises(TypeError, match="NoneType"):  # the control: else the kernels are used
        other.train()(images)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(4, 6, 28, 28), (3, 5, 7, 9), (2, 1, 4, 4)])
def test_max_pooling_gives_the_same_bits(shape, dtype):
    maps = torch.randint(-3, 3, shape).to(dtype).contiguous(memory_format=NHWC)  # with ties
    maps[0, 0, 1, 1] = torch.nan
    found = []
    for layer in (nn.MaxPool2d(2), PoolByKernel(2)):
        given = maps.clone().requires_grad_(True)
        outputs = layer(given)
        outputs.backward(torch.arange(outputs.numel(), dtype=dtype).view_as(outputs))
        found.append((outputs.detach().nan_to_num(9), given.grad, outputs.stride()))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    assert type(outputs.grad_fn).__name__ == "FewChannelsPoolBackward", "the kernel was not used"


def test_layers_that_do_not_fit_stay_as_they_are():
    class Own(nn.Sequential):
        pass

    model = nn.Sequential(Own(nn.BatchNorm2d(4), nn.ReLU()), nn.MaxPool2d(3), nn.Conv2d(4, 4, 1))
    use_fused_layers(model)
    assert [type(part) for part in model] == [Own, nn.MaxPool2d, nn.Conv2d]
    norm, relu = layers(16)
    maps = maps_of(4, 16, 8, 8)
    assert fused_layers.can_fuse(norm, relu, maps)
    assert not fused_layers.can_fuse(norm, relu, maps.contiguous())
    assert not fused_layers.can_fuse(norm, relu, maps.double())
    assert not fused_layers.can_fuse(norm, relu, maps[:1, :, :1, :1])
    assert not fused_layers.can_fuse(norm, nn.GELU(), maps)
    assert not fused_layers.can_fuse(nn.SyncBatchNorm(16), relu, maps)
    assert not fused_layers.can_fuse(nn.BatchNorm2d(16, momentum=None), relu, maps)
    assert not fused_layers.can_fuse(nn.BatchNorm2d(16, affine=False), relu, maps)


def test_without_a_compiler_it_is_refused_and_not_tried(monkeypatch, compose):
    from dlcourse.engine.instantiate import build

    runtime = build(compose("runtime=cpu", "runtime.fused_layers=true")["runtime"])()
    assert type(runtime.place(nn.Sequential(nn.ReLU()), (3, 8, 8))) is FusedSequential
    monkeypatch.setenv("CXX", "no-such-compiler")
    compiled_library.library.cache_clear()
    try:
        assert not can_fuse_layers(nn.Sequential(nn.BatchNorm2d(3)))
        with pytest.raises(UserError, match="needs Linux and the compiler"):
            runtime.place(nn.Sequential(), (3, 8, 8))
    finally:
        compiled_library.library.cache_clear()
    monkeypatch.delenv("CXX")
    assert can_fuse_layers(nn.Sequential(nn.BatchNorm2d(3)))
    assert not can_fuse_layers(nn.Sequential(nn.Linear(3, 3)))


def test_the_kernels_are_compiled_once_for_a_user(monkeypatch, tmp_path):
    compiled = []

    def copy_instead(compiler, source, target):
        compiled.append(source.name)
        shutil.copy(library_file, target)

    library_file = library("fused_layers")._name
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiled_library, "compile_file", copy_instead)
    try:
        for _ in range(2):
            compiled_library.library.cache_clear()
            library("fused_layers")
        (kept,) = tmp_path.glob("dlcourse/*")
        assert compiled == ["fused_layers.cpp"]
        damaged = tmp_path / "other/dlcourse" / kept.name
        damaged.parent.mkdir(parents=True)
        damaged.write_bytes(b"damaged")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
        compiled_library.library.cache_clear()
        with pytest.raises(CannotCompileError, match="cannot be used"):
            library("fused_layers")
    finally:
        compiled_library.library.cache_clear()


def test_a_compiler_that_fails_is_reported_in_one_line(monkeypatch, tmp_path):
    broken = tmp_path / "broken.cpp"
    broken.write_text("int main( {")
    with pytest.raises(CannotCompileError, match=r"failed: .*broken\.cpp.*error"):
        compiled_library.compile_file("g++", broken, tmp_path / "broken.so")
