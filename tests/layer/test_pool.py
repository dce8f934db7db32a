"""Every pooling has PyTorch's windows, and stochastic pooling draws as in the paper."""

import pytest
import torch
from torch.nn import functional as F

from dlcourse.errors import UserError
from dlcourse.layer.pool import POOLS, PoolFirst, pool_layer
from dlcourse.schema.bounds import POOL_NAMES

WINDOWS = [  # size, stride, padding, ceil_mode, side
    (2, None, 0, False, 6),
    (2, None, 0, True, 7),
    (3, 2, 0, False, 8),
    (3, 2, 0, True, 8),
    (3, 2, 1, False, 7),
    (3, 2, 1, True, 8),
    (2, 3, 1, True, 4),  # a window that starts outside the border is dropped
    (2, 3, 0, True, 6),
    (1, 3, 0, True, 5),
    (4, 1, 2, True, 5),
    (2, 4, 0, False, 9),
]


def test_the_checks_know_every_pooling():
    assert POOL_NAMES == POOLS


@pytest.mark.parametrize(("size", "stride", "padding", "ceil_mode", "side"), WINDOWS)
def test_every_pooling_has_the_same_windows(size, stride, padding, ceil_mode, side):
    ones = torch.ones(2, 3, side, side + 1)
    counts = pool_layer("sum", size, stride, padding, ceil_mode=ceil_mode)(ones)
    for name in POOLS:
        layer = pool_layer(name, size, stride, padding, ceil_mode=ceil_mode)
        for mode in (layer.train(), layer.eval()):
            outputs = mode(ones)
            assert outputs.shape == counts.shape
            expected = counts if name == "sum" else torch.ones_like(counts)
            torch.testing.assert_close(outputs, expected)


@pytest.mark.parametrize("name", POOLS)
def test_the_gradient_of_a_pooling_equals_finite_differences(name):
    layer = pool_layer(name, 3, 2, 1).double().eval()
    maps = torch.rand(1, 2, 5, 5, dtype=torch.float64) + 0.5
    assert torch.autograd.gradcheck(layer, maps.requires_grad_())


def test_stochastic_pooling_draws_one_value_per_window_and_passes_the_gradient_to_it():
    maps = torch.rand(2, 3, 6, 6, requires_grad=True)
    outputs = pool_layer("stochastic", 2)(maps)
    outputs.sum().backward()
    chosen = F.avg_pool2d(maps.grad, 2, divisor_override=1)
    assert torch.equal(chosen, torch.ones_like(chosen))
    assert set(maps.grad.unique().tolist()) == {0, 1}
    torch.testing.assert_close(outputs, F.avg_pool2d(maps * maps.grad, 2, divisor_override=1))


def test_stochastic_pooling_draws_new_values_and_repeats_them_with_the_same_seed():
    layer, maps = pool_layer("stochastic", 2), torch.rand(4, 3, 8, 8)
    first, second = layer(maps), layer(maps)
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    first = layer(maps)
    torch.manual_seed(3)
    assert torch.equal(layer(maps), first)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_that_are_not_positive_are_never_drawn(dtype):
    maps = torch.tensor([[-5.0, 0.0], [0.0, 0.25]], dtype=dtype).expand(20_000, 1, 2, 2)
    layer = pool_layer("stochastic", 2)
    assert (layer(maps) == 0.25).all()
    assert (layer.eval()(maps) == 0.25).all()


@pytest.mark.parametrize("training", [True, False])
def test_a_window_without_a_positive_value_gives_zero_and_a_finite_gradient(training):
    maps = torch.full((1, 1, 4, 4), -1.0, requires_grad=True)
    outputs = pool_layer("stochastic", 2).train(training)(maps)
    outputs.sum().backward()
    assert torch.equal(outputs, torch.zeros(1, 1, 2, 2))
    assert torch.equal(maps.grad, torch.zeros(1, 1, 4, 4))


def test_a_nan_in_a_window_gives_nan():
    maps = torch.ones(1, 1, 2, 2)
    maps[..., 0, 1] = torch.nan
    layer = pool_layer("stochastic", 2)
    assert layer(maps).isnan().all()
    assert layer.eval()(maps).isnan().all()


def test_an_unknown_pooling_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean average"):
        pool_layer("averag", 2)


@pytest.mark.parametrize(("size", "stride", "padding", "ceil_mode", "side"), WINDOWS)
def test_max_pooling_before_relu_gives_exactly_the_same_outputs_and_gradients(
    size, stride, padding, ceil_mode, side
):
    pool = pool_layer("max", size, stride, padding, ceil_mode=ceil_mode)
    layers = [torch.nn.Identity(), torch.nn.ReLU(), pool]
    maps = torch.randint(-3, 3, (2, 3, side, side)).float()  # with ties, above zero and below
    results = []
    for kind in (torch.nn.Sequential, PoolFirst):
        inputs = maps.clone().requires_grad_(True)
        outputs = kind(*layers)(inputs)
        (outputs * torch.arange(outputs.numel()).view_as(outputs)).sum().backward()
        results.append((outputs.detach(), inputs.grad))
    assert order_of_computing(PoolFirst(*layers), maps) == [layers[0], pool, layers[1]]
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def order_of_computing(layers, maps):
    """Return the layers in the order in which they run."""
    order = []
    for layer in layers:
        layer.register_forward_hook(lambda layer, *_: order.append(layer))
    layers(maps)
    return order


@pytest.mark.parametrize("as_designed", [False, True])
def test_the_listed_order_of_layers_is_that_of_the_design(as_designed):
    layers = [torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    made = PoolFirst(*layers)
    made.as_designed = as_designed
    assert list(made) == layers
    assert made.swaps
    same = order_of_computing(made, torch.zeros(1, 1, 6, 6)) == layers
    assert same is as_designed


def test_other_poolings_and_activations_stay_in_their_order():
    layers = [torch.nn.ReLU(), torch.nn.AvgPool2d(2), torch.nn.Tanh(), torch.nn.MaxPool2d(2)]
    assert order_of_computing(PoolFirst(*layers), torch.zeros(1, 1, 8, 8)) == layers
    assert not PoolFirst(*layers).swaps


def test_a_compiled_net_pools_first_as_well():
    made = PoolFirst(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2))
    maps, graphs = torch.randn(2, 1, 6, 6), []

    def keep(graph, inputs):
        graphs.append(graph)
        return graph

    assert torch.equal(torch.compile(made, backend=keep, fullgraph=True)(maps), made(maps))
    assert graphs[0].code.index("max_pool2d") < graphs[0].code.index("relu")
