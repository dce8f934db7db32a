"""The loss along directions of the weights: compared with formulas, and nothing is changed."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from dlcourse.introspect.loss_surface import (
    curvature,
    losses_on_grid,
    plane_of_path,
    random_direction,
    set_weights,
    weight_vector,
)


def small_net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 4))


def test_weights_are_one_vector_in_the_order_of_the_parameters():
    model = small_net()
    assert torch.equal(weight_vector(model), parameters_to_vector(model.parameters()))
    changed = weight_vector(model) + 1
    set_weights(model, changed)
    assert torch.equal(weight_vector(model), changed)


def test_the_weights_of_channels_last_models_are_in_the_same_order():
    model = small_net()
    expected = weight_vector(model)
    model.to(memory_format=torch.channels_last)
    assert torch.equal(weight_vector(model), expected)
    set_weights(model, expected.flip(0))
    assert torch.equal(weight_vector(model), expected.flip(0))


def test_each_filter_of_a_random_direction_has_the_norm_of_the_weights_filter():
    model = small_net()
    direction = random_direction(model, torch.Generator().manual_seed(1))
    sizes = [weight.numel() for weight in model.parameters()]
    parts = direction.split(sizes)
    for weight, part in zip(model.parameters(), parts, strict=True):
        if weight.dim() == 1:
            assert not part.any()
        else:
            for own, drawn in zip(weight, part.view(weight.shape), strict=True):
                assert drawn.norm() == pytest.approx(own.norm().item(), rel=1e-5)
    again = random_direction(model, torch.Generator().manual_seed(1))
    assert torch.equal(direction, again)


def test_scaling_a_layer_scales_its_part_of_the_direction():
    model = small_net()
    before = random_direction(model, torch.Generator().manual_seed(1))
    with torch.no_grad():
        model[0].weight.mul_(10)
    after = random_direction(model, torch.Generator().manual_seed(1))
    size = model[0].weight.numel()
    assert after[:size] == pytest.approx(10 * before[:size], rel=1e-4)
    assert torch.equal(after[size:], before[size:])


def quadratic(model: nn.Module) -> float:
    """Return w^T diag(1, 2, 3) w / 2 of a layer with the weights w."""
    weight = weight_vector(model).double()
    return float((torch.tensor([1.0, 2.0, 3.0]) * weight**2).sum() / 2)


def test_losses_and_curvature_equal_those_of_a_quadratic_function():
    model = nn.Linear(3, 1, bias=False)
    origin, own = torch.tensor([1.0, -1.0, 0.5]), weight_vector(model)
    first, second = torch.eye(3)[:2]
    found = losses_on_grid(
        model,
        origin,
        (first, second),
        (np.array([-1.0, 0.0, 2.0]), np.array([0.0, 1.0])),
        lambda: quadratic(model),
    )
    rest = 3 * 0.5**2 / 2
    expected = [
        [(1 + a) ** 2 / 2 + 2 * (b - 1) ** 2 / 2 + rest for a in (-1, 0, 2)] for b in (0, 1)
    ]
    assert found == pytest.approx(np.array(expected))
    assert curvature(model, origin, second, lambda: quadratic(model)) == pytest.approx(2, rel=1e-3)
    assert torch.equal(weight_vector(model), own)


def test_the_weights_are_restored_when_the_loss_fails_and_no_random_number_is_drawn():
    model = small_net()
    own, before = weight_vector(model), torch.get_rng_state()
    random_direction(model, torch.Generator().manual_seed(0))

    def fail() -> float:
        raise RuntimeError("no loss")

    with pytest.raises(RuntimeError, match="no loss"):
        curvature(model, own, torch.ones_like(own), fail)
    assert torch.equal(weight_vector(model), own)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_plane_of_a_path_equals_the_singular_vectors_of_its_differences():
    torch.manual_seed(0)
    path, origin = torch.randn(6, 20), torch.randn(20)
    plane = plane_of_path(path, origin)
    _, sizes, right = np.linalg.svd((path - origin).numpy(), full_matrices=False)
    assert np.abs(plane.directions.numpy()) == pytest.approx(np.abs(right[:2]), abs=1e-5)
    assert plane.shares == pytest.approx((sizes**2 / (sizes**2).sum())[:2], rel=1e-5)
    flat = path[0] - origin
    assert plane.points[0] == pytest.approx((plane.directions @ flat).numpy(), rel=1e-4)
    assert (plane.points[0] >= 0).all()


def test_a_path_in_a_plane_is_drawn_without_loss_and_one_on_a_line_is_refused():
    origin, directions = torch.randn(9), torch.linalg.qr(torch.randn(9, 2)).Q.T
    places = torch.tensor([[3.0, 1.0], [1.0, 2.0], [0.0, 0.0]])
    plane = plane_of_path(origin + places @ directions, origin)
    back = origin + torch.tensor(plane.points, dtype=torch.float32) @ plane.directions
    assert torch.allclose(back, origin + places @ directions, atol=1e-5)
    assert plane.shares.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="one line"):
        plane_of_path(torch.stack([origin + 1, origin + 2, origin]), origin)
