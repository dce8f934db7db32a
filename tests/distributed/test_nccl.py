"""Ranks on NVIDIA GPUs, through NCCL: with one GPU, a group of one rank.

The whole path of several ranks is taken: shares, the sum of the gradients within the captured step,
batch norm over all ranks, dropout of the whole batch.
"""

import pytest
import torch
from conftest import prepared
from torch import nn

from dlcourse.distributed.collectives import decided, gathered
from dlcourse.distributed.join import connected_ranks
from dlcourse.distributed.layers import share_layers
from dlcourse.distributed.piece import Piece, within_piece
from dlcourse.distributed.ranks import Ranks
from dlcourse.machine.cuda_graph import GraphedFunction
from dlcourse.train.fit import fit, train_runner

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU"),
]
GPU = ["runtime=cuda", "observe=[]", "stop=never", "max_epochs=3", "data.examples=200",
       "batch_size=32"]  # fmt: skip


@pytest.fixture
def nccl(tmp_path):
    """Return the context of a group of one rank."""
    place = Ranks(0, 1, 0, 1, joined=True)
    return lambda: connected_ranks(place, f"file://{tmp_path / 'meeting'}", "cuda")


def trained(cfg):
    """Train, and return the weights in one vector and the last training loss."""
    state, fold, recipe = prepared(cfg)
    fit(state, fold, recipe)
    weights = torch.cat([weight.detach().flatten() for weight in state.model.parameters()])
    return weights, state.history[-1].metrics["train/loss"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=lenet", "model.dropout=0.3", "augment=[crop,noise]", "runtime.precision=fp32"],
        ["model=convnet", "optim=momentum", "average=ema", "runtime.precision=fp64"],
        ["accumulate=2", "model=convnet", "optim=momentum", "runtime.precision=fp64"],
    ],
    ids=lambda overrides: " ".join(overrides[:1] + overrides[-1:]),
)
def test_a_group_of_one_rank_trains_as_a_single_process(overrides, compose, nccl):
    """Convolutions in fp32 are TF32 on a GPU, whose rounding batch norm makes larger."""
    cfg = compose(*GPU, *overrides, "clip=norm", "runtime.deterministic=true")
    alone, loss = trained(cfg)
    with nccl():
        shared, loss_shared = trained(cfg)
    atol = 1e-9 if shared.dtype == torch.float64 else 1e-4
    assert torch.allclose(shared, alone, rtol=10 * atol, atol=atol)
    assert loss_shared == pytest.approx(loss, rel=1e-3)


def test_the_step_with_its_all_reduce_is_captured_as_one_graph(compose, nccl):
    with nccl():
        state, fold, recipe = prepared(compose(*GPU, "model=convnet", "optim=momentum"))
        state.model.train()
        runner = train_runner(state, fold, recipe)
        runner.reset()
        for _ in range(6):
            runner.run(torch.arange(32, device="cuda"))
        assert isinstance(runner.process, GraphedFunction)
        assert runner.process.replay is not None
        assert not runner.process.impossible


def test_cpu_values_are_exchanged_next_to_a_gpu(nccl):
    with nccl():
        assert gathered({"loss": 1.0}) == [{"loss": 1.0}]
        assert decided(True)


def test_dropout_on_a_gpu_has_the_mask_of_the_whole_batch():
    whole, layer = torch.ones(8, 3, 5, device="cuda"), nn.Dropout(0.5)
    torch.manual_seed(0)
    expected = layer(whole)
    share_layers(layer, synchronised=True)
    torch.manual_seed(0)
    with within_piece(Piece(8, 2, 6)):
        assert torch.equal(layer(whole[2:6]), expected[2:6])
