"""Train with several ranks, forked from the test: they need not import anything again."""

import multiprocessing
import os
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from conftest import prepared

from dlcourse.distributed.join import connected_ranks
from dlcourse.distributed.ranks import Ranks
from dlcourse.train.fit import fit


def on_ranks(size, task, *arguments):
    """Return what ``task(*arguments)`` returns on each of ``size`` connected processes."""
    context = multiprocessing.get_context("fork")
    with TemporaryDirectory() as folder:
        pipes = [context.Pipe(duplex=False) for _ in range(size)]
        processes = [
            context.Process(
                target=one_rank, args=(rank, size, folder, theirs, task, arguments), daemon=True
            )
            for rank, (_, theirs) in enumerate(pipes)
        ]
        for process in processes:
            process.start()
        for _, theirs in pipes:
            theirs.close()
        found = []
        for (ours, _), process in zip(pipes, processes, strict=True):
            try:
                found.append(ours.recv())
            except EOFError:
                found.append(RuntimeError("the rank has ended"))
            process.join(20)
        errors = [one for one in found if isinstance(one, BaseException)]
        if errors:
            raise errors[0]
        return found


def one_rank(rank, size, folder, messages, task, arguments):
    """Send the result of the task, or its error."""
    place = Ranks(rank, size, rank, size, joined=True)
    try:
        with connected_ranks(place, f"file://{Path(folder) / 'meeting'}", "cpu"):
            messages.send(task(*arguments))
    except BaseException as error:
        messages.send(RuntimeError("".join(traceback.format_exception(error))))
        os._exit(1)
    os._exit(0)


def trained(cfg):
    """Train, and return all parameters and buffers in one vector, and the history."""
    torch.set_num_threads(1)
    state, fold, recipe = prepared(cfg)
    fit(state, fold, recipe)
    numbers = [one.detach().double().flatten() for one in state.averaged.state_dict().values()]
    return torch.cat(numbers).tolist(), [record.metrics for record in state.history]
