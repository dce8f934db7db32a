"""Dropout and batch norm of a rank's rows are those of the whole batch."""

import pytest
import torch
from several import on_ranks
from torch import nn

from dlcourse.distributed.layers import (
    refuse_own_random_numbers,
    refuse_small_shares,
    share_layers,
)
from dlcourse.distributed.piece import Piece, own_rows, pieces_of, within_piece
from dlcourse.distributed.ranks import ALONE, Ranks, enter
from dlcourse.errors import UserError


@pytest.fixture
def _two_ranks():
    enter(Ranks(0, 2, 0, 2, joined=True))
    yield
    enter(ALONE)


def images(count=7, channels=4, order=torch.contiguous_format):
    generator = torch.Generator().manual_seed(1)
    made = torch.randn(count, channels, 5, 3, generator=generator, dtype=torch.float64)
    return made.contiguous(memory_format=order)


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout2d])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_dropout_uses_the_masks_of_the_whole_batch_to_the_last_bit(kind, order, rank):
    whole, layer = images(order=order), kind(0.4)
    torch.manual_seed(3)
    expected = layer(whole)
    state = torch.get_rng_state()
    share_layers(layer, synchronised=True)
    piece = own_rows(7, rank, 3)
    torch.manual_seed(3)
    with within_piece(piece):
        found = layer(whole[piece.start : piece.stop])
    assert torch.equal(found, expected[piece.start : piece.stop])
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(layer(whole), expected)  # control: the next masks are others


def test_dropout_of_tokens_that_are_rows_of_their_own_has_the_masks_of_the_batch():
    whole, layer = torch.ones(6 * 4, 3), nn.Dropout(0.5)  # 6 examples of 4 tokens
    torch.manual_seed(0)
    expected = layer(whole)
    share_layers(layer, synchronised=True)
    torch.manual_seed(0)
    with within_piece(Piece(6, 2, 5)):
        assert torch.equal(layer(whole[8:20]), expected[8:20])


def normalised(size, rank, kind, shape, momentum):
    """Return outputs, gradients and statistics of one batch norm on a rank's rows."""
    torch.manual_seed(0)
    layer = kind(4, momentum=momentum).double()
    nn.init.normal_(layer.weight)
    if size > 1:  # one device has PyTorch's own batch norm
        share_layers(layer, synchronised=True)
    whole = (10 + 3 * torch.randn(*shape, dtype=torch.float64)).requires_grad_()
    target = torch.randn_like(whole)
    piece = own_rows(len(whole), rank, size)
    rows = slice(piece.start, piece.stop) if piece.count else slice(0, 1)
    with within_piece(piece):
        outputs = layer(whole[rows])
    ((outputs - target[rows]) ** 3).sum().mul(piece.count > 0).backward()
    kept = slice(0, piece.count)
    numbers = [layer.running_mean, layer.running_var, layer.num_batches_tracked]
    return (outputs[kept].tolist(), whole.grad.tolist(), layer.weight.grad.tolist(),
            layer.bias.grad.tolist(), [one.tolist() for one in numbers])  # fmt: skip


def all_cases(size, rank_of):
    cases = [(nn.BatchNorm2d, (5, 4, 3, 2), 0.1), (nn.BatchNorm1d, (5, 4), None),
             (nn.BatchNorm2d, (2, 4, 3, 2), 0.1)]  # fmt: skip
    return [normalised(size, rank_of(), *case) for case in cases]


def on_this_rank():
    from dlcourse.distributed.ranks import this_rank

    return all_cases(this_rank().size, lambda: this_rank().rank)


def test_batch_norm_over_three_ranks_is_that_of_the_whole_batch():
    torch.set_num_threads(1)
    expected = all_cases(1, lambda: 0)
    ranks = on_ranks(3, on_this_rank)
    for case, one in enumerate(expected):
        parts = [rank[case] for rank in ranks]
        close([row for part in parts for row in part[0]], one[0])
        for place in (1, 2, 3):  # gradients of the inputs, the weight and the bias
            close(sum(torch.tensor(part[place]).double() for part in parts).tolist(), one[place])
        for part in parts:
            close(part[4][:2], one[4][:2])
            assert part[4][2] == one[4][2]


def close(found, expected):
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=1e-6, atol=1e-6)


class Noisy(nn.Linear):
    def forward(self, input):
        return super().forward(input + torch.randn_like(input))


@pytest.mark.usefixtures("_two_ranks")
def test_a_model_that_draws_its_own_random_numbers_is_refused():
    with pytest.raises(UserError, match=r"Noisy draws random numbers .* not only by nn\.Dropout"):
        refuse_own_random_numbers(Noisy(3, 2), (3,))
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
    share_layers(model, synchronised=True)
    state, mean = torch.get_rng_state(), model[1].running_mean.clone()
    refuse_own_random_numbers(model, (3,))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(model[1].running_mean, mean)
    assert model.training


class OwnNorm(nn.BatchNorm1d):
    pass


@pytest.mark.usefixtures("_two_ranks")
def test_a_class_derived_from_batch_norm_is_refused():
    with pytest.raises(UserError, match=r"a OwnNorm, and only nn\.BatchNorm1d"):
        share_layers(nn.Sequential(OwnNorm(3)), synchronised=True)
    share_layers(nn.Sequential(OwnNorm(3)), synchronised=False)


@pytest.mark.usefixtures("_two_ranks")
def test_batch_norm_per_device_needs_two_examples_on_each():
    model = nn.Sequential(nn.BatchNorm1d(3))
    refuse_small_shares(model, 4)
    with pytest.raises(UserError, match="the smallest batch of an epoch has 3"):
        refuse_small_shares(model, 3)


def test_the_pieces_are_those_of_one_device():
    pieces = [pieces_of(20, 7, rank, 3) for rank in range(3)]
    assert [piece.whole for piece in pieces[0]] == [7, 7, 6]
    assert [[piece.count for piece in own] for own in pieces] == [[3, 3, 2], [2, 2, 2], [2, 2, 2]]
    assert pieces_of(21, None, 0, 1) == [Piece(21, 0, 21)]
    assert pieces_of(2, None, 2, 3) == [Piece(2, 2, 2)]
