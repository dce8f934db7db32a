"""Max pooling by slices equals PyTorch's, to the last bit."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlcourse.machine.max_pool import MaxOfSlices, MaxPoolBySlices, use_slices


def maps(height: int, width: int, dtype: torch.dtype) -> torch.Tensor:
    """Return maps (3, 5, height, width) in NHWC order with many equal values."""
    values = torch.randn(3, 5, height, width, generator=torch.Generator().manual_seed(0)).round()
    return values.to(dtype).to(memory_format=torch.channels_last).requires_grad_()


@pytest.mark.parametrize(("height", "width"), [(31, 31), (8, 7), (2, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pooling_by_slices_equals_max_pool2d_with_its_gradient(height, width, dtype):
    mine, theirs = maps(height, width, dtype), maps(height, width, dtype)
    pooled, expected = MaxOfSlices.apply(mine), F.max_pool2d(theirs, 2)
    assert torch.equal(pooled, expected)
    assert pooled.is_contiguous(memory_format=torch.channels_last)
    gradient = torch.randn(expected.shape).to(dtype)
    pooled.backward(gradient)
    expected.backward(gradient)
    assert torch.equal(mine.grad, theirs.grad)
    assert mine.grad.stride() == theirs.grad.stride()


def test_only_poolings_over_2_x_2_windows_are_replaced():
    others = [nn.MaxPool2d(3), nn.MaxPool2d(2, 1), nn.MaxPool2d(2, padding=1),
              nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d((2, 1))]  # fmt: skip
    model = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d((2, 2), 2), *others)
    use_slices(model)
    assert [type(layer) is MaxPoolBySlices for layer in model] == [True, True, *[False] * 5]


def test_maps_in_another_order_are_pooled_by_pytorch(monkeypatch):
    monkeypatch.setattr(MaxOfSlices, "apply", None)
    model = nn.Sequential(nn.MaxPool2d(2))
    use_slices(model)
    images = torch.randn(2, 3, 6, 6)
    assert torch.equal(model(images), F.max_pool2d(images, 2))
    with pytest.raises(TypeError):
        model(images.to(memory_format=torch.channels_last))


def test_a_compiler_sees_one_pooling():
    model = nn.Sequential(nn.MaxPool2d(2))
    use_slices(model)
    seen = []
    backend = lambda graph, inputs: (seen.extend(graph.graph.nodes), graph.forward)[1]  # noqa: E731
    torch._dynamo.reset()
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    images = maps(6, 6, torch.float32).detach()
    assert torch.equal(compiled(images), F.max_pool2d(images, 2))
    assert [node.target for node in seen if node.op == "call_function"] == [F.max_pool2d]
