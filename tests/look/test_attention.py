"""Attention weights, their rollout, and the similarity of positions."""

import numpy as np
import pytest
import torch
from torch import nn

from dlcourse.layer.attention import SelfAttention
from dlcourse.look.attention import attention_weights, laid_over, patches_used, rollout, to_patches
from dlcourse.look.positions import neighbours


@pytest.fixture
def pair():
    """Return our attention and PyTorch's, with the same weights, and tokens (2, 7, 12)."""
    own, other = SelfAttention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        other.in_proj_weight.copy_(own.qkv.weight)
        other.in_proj_bias.copy_(own.qkv.bias)
        other.out_proj.weight.copy_(own.output.weight)
        other.out_proj.bias.copy_(own.output.bias)
    return own.eval(), other.eval(), torch.randn(2, 7, 12)


def test_the_weights_are_those_that_pytorch_returns(pair):
    own, other, tokens = pair
    network = nn.ModuleDict({"block": own})
    found = attention_weights(network, lambda: own(tokens))
    _, expected = other(tokens, tokens, tokens, average_attn_weights=False)
    torch.testing.assert_close(found["block"], expected)


def test_pytorchs_own_attention_is_made_to_return_them(pair):
    _, other, tokens = pair
    network = nn.ModuleDict({"block": other})
    found = attention_weights(network, lambda: other(tokens, tokens, tokens, need_weights=False))
    _, expected = other(tokens, tokens, tokens, average_attn_weights=False)
    torch.testing.assert_close(found["block"], expected)
    assert not other._forward_hooks
    assert not other._forward_pre_hooks


def test_rollout_is_the_product_of_the_layers_with_the_residual_connection():
    first, second = (torch.rand(1, 2, 4, 4).softmax(-1) for _ in range(2))
    eye = torch.eye(4)
    expected = (second.mean(1) + eye) / 2 @ ((first.mean(1) + eye) / 2)
    torch.testing.assert_close(rollout([first, second]), expected)
    torch.testing.assert_close(rollout([first, second]).sum(-1), torch.ones(1, 4))


def test_the_class_tokens_weights_are_placed_row_after_row():
    weights = torch.zeros(1, 7, 7)
    weights[0, 0, 1:] = torch.arange(6.0)
    assert to_patches(weights, (2, 3)).tolist() == [[[0, 1, 2], [3, 4, 5]]]


def test_without_a_class_token_the_mean_over_all_tokens_is_shown():
    weights = torch.arange(36.0).view(1, 6, 6)
    torch.testing.assert_close(to_patches(weights, (2, 3)).flatten(), weights[0].mean(0))


def test_equal_weights_use_all_patches_and_a_single_one_uses_one():
    one = np.zeros((1, 2, 3))
    one[0, 1, 1] = 0.3
    assert patches_used(np.ones((1, 2, 3))) == pytest.approx(6)
    assert patches_used(one) == pytest.approx(1)


def test_a_patch_is_coloured_at_its_place_and_the_rest_of_the_image_is_unchanged():
    image, weights = np.full((4, 6), 0.5), np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    drawn = laid_over(image, weights)
    changed = np.abs(drawn - 0.5).max(2) > 0.01
    assert changed[:2, 4:].all()
    assert changed.sum() == 4


def test_neighbours_are_the_patches_above_below_left_and_right():
    cosine = np.full((4, 4), 0.1)
    cosine[0, 1] = cosine[1, 0] = cosine[2, 3] = cosine[3, 2] = 1.0
    cosine[0, 3] = cosine[3, 0] = cosine[1, 2] = cosine[2, 1] = 0.4
    near, far = neighbours(cosine, (2, 2))
    assert near == pytest.approx(0.55)
    assert far == pytest.approx(0.4)
