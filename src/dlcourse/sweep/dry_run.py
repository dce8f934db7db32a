"""What only PyTorch and the data can tell of a job, found out before the first one starts."""

import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.schema.facts import fact
from dlcourse.sweep.pool import exit_text
from dlcourse.sweep.worker import exit_with_parent
from dlcourse.terminal.user_code import explained


class Finding(NamedTuple):
    """What was found out about one job: why it cannot be run, if so, and its parameters."""

    problem: str = ""
    parameters: int = 0


def dry_run(
    context: Any,
    configs: Sequence[dict],
    earlier: Sequence[Path | None] | None = None,
    *,
    here: bool,
) -> tuple[list[Finding], list[str]]:
    """Return what is found out about every job, and the names of the GPUs, by another process.

    Choices are imported and bound to their options, data are read, examples are divided, and
    models are made without weights; each once for all jobs that share it.

    earlier: for each config the folder of a run that was begun on the same data, if there is one:
        that they have changed since is a problem.
    here: whether the jobs would run on this machine, so that it must have what their ``runtime``
        asks for.
    """
    findings: list[Finding] = []
    while True:
        ours, theirs = context.Pipe()
        rest = list(zip(configs, earlier or [None] * len(configs), strict=True))[len(findings) :]
        process = context.Process(target=check_jobs, args=(theirs, rest, os.getcwd(), here))
        process.start()
        theirs.close()
        gpus = None
        try:
            gpus = ours.recv()
            for _ in rest:
                findings.append(ours.recv())
            return findings, gpus
        except (EOFError, ConnectionError) as error:
            process.join()
            how = exit_text(process.exitcode)
            if gpus is None:
                raise RuntimeError(f"the process of the checks {how}") from error
            # code of the user's own can end the process; the others are looked at in the next one
            findings.append(Finding(f"The job cannot be checked: its process {how}"))
        finally:
            process.join()
            ours.close()


def check_jobs(
    sweep: Connection, jobs: list[tuple[dict, Path | None]], cwd: str, here: bool
) -> None:
    """Send the GPUs and what is found out about each job, in the process of ``dry_run``.

    jobs: a config and the folder of an earlier run on the same data.
    """
    exit_with_parent()
    os.chdir(cwd)
    import torch

    torch.set_num_threads(1)
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    gpus = names.split(",")[:count] if names else [str(number) for number in range(count)]
    sweep.send(gpus)
    checks = CachedChecks(here)
    for config, earlier in jobs:
        sweep.send(checks.finding(OmegaConf.create(config), earlier))


class CachedChecks:
    """Remembers what it has seen, so that jobs which share something are looked at once."""

    def __init__(self, here: bool) -> None:
        self.here = here
        self.seen: dict[str, Any] = {}

    def finding(self, cfg: DictConfig, earlier: Path | None = None) -> Finding:
        """Return what is found out about one config."""
        from dlcourse.engine.build import build, build_all, divide
        from dlcourse.engine.fingerprint import divided, refuse_other_data

        try:
            build_all(cfg)
            if self.here:
                self.once(build(cfg.runtime), "runtime", cfg.runtime)
            streams = cfg.random_streams
            data = self.once(partial(shape_of, cfg), "data", cfg.data, streams)
            parts = self.once(partial(divide, cfg, data), "split", cfg.data, cfg.split, streams)
            if earlier is not None:
                refuse_other_data(earlier, divided(data, parts))
            known = (data.input_shape, data.output_size)
            return Finding(
                "", self.once(partial(count_parameters, cfg, *known), "model", cfg.model, known)
            )
        except UserError as error:
            return Finding(str(error))
        except (Exception, SystemExit) as error:
            if own := explained(error):
                return Finding(own)
            traceback.print_exc()
            return Finding(f"{type(error).__name__}: {error}")

    def once(self, find: Callable[[], Any], *parts: Any) -> Any:
        """Return what ``find`` finds, or raise its error again."""
        plain = [OmegaConf.to_container(p) if OmegaConf.is_config(p) else p for p in parts]
        key = atomic_files.to_json(plain)
        if key not in self.seen:
            try:
                self.seen[key] = find()
            except (Exception, SystemExit) as error:
                self.seen[key] = error
        if isinstance(self.seen[key], BaseException):
            raise self.seen[key]
        return self.seen[key]


def shape_of(cfg: DictConfig) -> Any:
    """Read the data, and return the data set with its targets and without its inputs."""
    import torch

    from dlcourse.core import Split
    from dlcourse.engine.build import load_data

    data = load_data(cfg)
    none = torch.empty(0, *data.input_shape)
    return replace(
        data, train=Split(none, data.train.targets.clone()), test=Split(none, torch.empty(0))
    )


def count_parameters(cfg: DictConfig, inputs: tuple[int, ...], outputs: int) -> int:
    """Return the parameters of a model; published weights are not fetched for it."""
    from dlcourse.engine.build import make_model
    from dlcourse.introspect.summary import made_without_values

    node = cfg.model.copy()
    if fact(node, "published_weights"):
        node.weights = None
    model = made_without_values(partial(make_model, node, tuple(inputs), outputs))
    return sum(parameter.numel() for parameter in model.parameters())
