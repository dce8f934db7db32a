"""Run several jobs of a sweep in one process, where their models are trained together."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf

from dlcourse.schema.compose import hydra_of_job
from dlcourse.schema.hydra_api import typed_overrides
from dlcourse.sweep.job_output import JobOutput, Outputs, divide_output
from dlcourse.sweep.worker import ORPHAN, redirect_output, send_ending
from dlcourse.terminal.command import INTERRUPTED, exit_with_parent
from dlcourse.terminal.stop_signals import stopped_by_parent
from dlcourse.terminal.streams import silence_failures


class Order(NamedTuple):
    """A job of a group, as it is sent to the process; the names are those of run_job_process."""

    sweep: Connection
    cfg: DictConfig
    config: dict
    folder: Path
    hparam_keys: list[str]


def run_group_process(orders: Sequence[Order], threads: int, gpu: str | None, cwd: str) -> None:
    """Run jobs in their folders, as ``run_job_process`` would run each; train their models as one.

    Each job prints and logs into its own folder. What is printed by no job, such as by a library
    written in C, goes to ``output.txt`` of the first one. Every job sends the messages of
    ``run_job_process`` and then ``("exit", status)``. If the process ends before that, the group
    has failed and not this job.
    """
    exit_with_parent(ORPHAN)
    os.chdir(cwd)
    redirect_output(orders[0].folder)
    silence_failures()
    stopped_by_parent()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    hydras = [hydra_of_job(order.cfg, order.folder) for order in orders]
    own = [(order.folder, hydra.hydra) for order, hydra in zip(orders, hydras, strict=True)]
    outputs, jobs = divide_output(own)
    import torch

    from dlcourse.engine.job_group import Member, run_group
    from dlcourse.sweep.reporter import Reporter

    torch.set_num_threads(threads)
    members = [
        Member(
            order.config,
            order.folder.absolute(),
            typed_overrides(hydra),
            OmegaConf.to_yaml(hydra),
            [Reporter(order.sweep, pruned=False)],
            order.hparam_keys,
            output=partial(outputs.turn_of, job),
            ended=partial(send_last, order.sweep, outputs, job),
        )
        for order, hydra, job in zip(orders, hydras, jobs, strict=True)
    ]
    try:
        run_group(members)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def send_last(sweep: Connection, outputs: Outputs, job: JobOutput, error: Exception | None) -> None:
    """Send the sweep how a job of the group has ended, with its exit status."""
    with outputs.turn_of(job):
        sweep.send(("exit", send_ending(sweep, error)))
