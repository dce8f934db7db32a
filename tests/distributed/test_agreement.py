"""Ranks agree on what they train and on what rank 0 decides."""

import re

import pytest
import torch
from several import on_ranks

from dlcourse.distributed.agreement import refuse_different
from dlcourse.distributed.collectives import (
    add_up,
    decided,
    from_first,
    in_turn,
    joined_rows,
    once,
    own_part,
    rows_of_all,
    sums_of_all,
)
from dlcourse.distributed.meters import of_this_rank
from dlcourse.distributed.ranks import ALONE, Ranks, alone, enter, is_first, this_rank


def exchanged():
    """Exchange values of every kind, from three ranks of which the last has nothing."""
    rank = this_rank().rank
    rows = torch.arange(2 - rank) + 10 * rank
    tensors = [torch.full((2,), float(rank)), torch.tensor(rank), torch.full((1,), 0.5)]
    add_up(tensors)
    with alone():
        apart = from_first(rank), is_first()
    return {
        "first": from_first(rank),
        "once": once(lambda: f"of rank {rank}"),
        "decided": decided(rank == 0),
        "turn": in_turn(lambda: rank),
        "added": [tensor.tolist() for tensor in tensors],
        "rows": rows_of_all(rows, [2, 1, 0]).tolist(),
        "sums": [one.tolist() for one in sums_of_all([torch.tensor(1 + rank)][: 2 - rank])],
        "kept": [one.tolist() for one in joined_rows((rows,) if len(rows) else ())],
        "part": own_part(torch.arange(4)).tolist(),
        "apart": apart,
    }


def test_the_ranks_exchange_values():
    ranks = on_ranks(3, exchanged)
    for rank, found in enumerate(ranks):
        assert found["first"] == 0
        assert found["once"] == "of rank 0"
        assert found["decided"] is True
        assert found["turn"] == rank
        assert found["added"] == [[3.0, 3.0], 3, [1.5]]
        assert found["rows"] == [0, 1, 10]
        assert found["sums"] == [3]
        assert found["kept"] == ([[0, 1, 10]] if rank == 0 else [])
        assert found["part"] == [[0, 1], [2], [3]][rank]
        assert found["apart"] == (rank, True)


def test_a_single_process_exchanges_nothing():
    assert (from_first(3), once(lambda: 4), decided(False)) == (3, 4, False)
    assert own_part(torch.arange(3)).tolist() == [0, 1, 2]


def compared(config, data):
    """Compare a config and data that only one rank has."""
    own = this_rank().rank == 1
    refuse_different({"seed": config if own else 0}, data if own else "the same data")
    return "accepted"


@pytest.mark.parametrize(
    ("config", "data", "differing"),
    [(5, "the same data", "config: "), (0, "other data", "data: the same data -> other data")],
)
def test_the_rank_with_another_config_or_other_data_is_named(config, data, differing):
    with pytest.raises(RuntimeError, match=rf"(?s)Rank 1 .* differs .*{re.escape(differing)}"):
        on_ranks(2, compared, config, data)


def test_the_same_config_and_data_are_accepted():
    assert on_ranks(2, compared, 0, "the same data") == ["accepted", "accepted"]


def test_sums_of_a_checkpoint_go_to_rank_0_if_the_number_of_ranks_has_changed():
    parts = [{"sums": [torch.tensor(n)], "waiting": [[n]]} for n in (1, 2, 3)]
    try:
        enter(Ranks(2, 3, 2, 3, joined=True))
        assert of_this_rank({"ranks": parts}) is parts[2]
        enter(Ranks(1, 2, 1, 2, joined=True))
        assert of_this_rank({"ranks": parts}) == {"sums": [], "waiting": []}
    finally:
        enter(ALONE)
    one = of_this_rank({"ranks": parts})
    assert one == {"sums": [torch.tensor(6)], "waiting": [[1], [2], [3]]}
    assert of_this_rank(parts[0]) is parts[0]
