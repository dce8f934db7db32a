"""The checks of all jobs that need PyTorch and the data, made before the first job starts."""

import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.schema.facts import with_random_weights
from dlcourse.schema.validate import OWN_TARGETS
from dlcourse.sweep.pool import exit_text
from dlcourse.sweep.worker import ORPHAN
from dlcourse.terminal.command import exit_with_parent
from dlcourse.terminal.stop_signals import ignore_signals
from dlcourse.terminal.user_code import user_code_message


class Finding(NamedTuple):
    """The result of checking one job: why it cannot be run, or its number of parameters."""

    problem: str = ""
    parameters: int = 0


def dry_run(
    context: Any,
    configs: Sequence[dict],
    earlier: Sequence[Path | None] | None = None,
    *,
    here: bool,
) -> tuple[list[Finding], list[str]]:
    """Check every job in another process; return a finding for each, and the names of the GPUs.

    The checks import and build every choice, read and split the data, and make the models without
    weights. What several jobs share is checked once; jobs that differ only in numbers on which no
    check depends, as the learning rate, are one job here.

    earlier: for each config the folder of a run that was started on the same data, if there is
        one. Data that have changed since are a problem.
    here: whether the jobs run on this machine, so that ``runtime`` is checked as well.
    """
    texts: dict[int, str] = {}
    jobs = list(zip(configs, earlier or [None] * len(configs), strict=True))
    keys = [(*checked_parts(config, texts), place) for config, place in jobs]
    distinct = dict(zip(reversed(keys), reversed(jobs), strict=True))  # the first job of each key
    found, gpus = check_in_process(context, list(distinct.values()), here=here)
    findings = dict(zip(distinct, found, strict=True))
    return [findings[key] for key in keys], gpus


def checked_parts(config: dict, texts: dict[int, str]) -> tuple[str, ...]:
    """Return the parts of a config on which the checks depend, as texts.

    texts: the texts of the dicts that were met before, by their ``id``; jobs share most of them.
    """
    parts = [str(config["random_streams"])]
    for group, node in config.items():
        if isinstance(node, dict):
            if id(node) not in texts:
                whole = group in ("data", "split", "model", "runtime")
                texts[id(node)] = atomic_files.to_json(node if whole else without_numbers(node))
            parts.append(texts[id(node)])
    return tuple(parts)


def without_numbers(node: dict) -> dict:
    """Return the config of a group without the numbers that its own choices get as they are.

    Those of a user's own choice stay, and so do lists and the options of a nested choice.
    """
    if "_target_" not in node:  # several choices
        return {name: without_numbers(one) if isinstance(one, dict) else one
                for name, one in node.items()}  # fmt: skip
    if not str(node["_target_"]).startswith(OWN_TARGETS):
        return node
    return {
        key: value if isinstance(value, dict | list | str) else None for key, value in node.items()
    }


def check_in_process(
    context: Any, jobs: Sequence[tuple[dict, Path | None]], *, here: bool
) -> tuple[list[Finding], list[str]]:
    """Check jobs in another process; return what ``dry_run`` returns."""
    findings: list[Finding] = []
    while True:
        ours, theirs = context.Pipe()
        rest = list(jobs)[len(findings) :]
        process = context.Process(target=check_jobs, args=(theirs, rest, os.getcwd(), here))
        process.start()
        theirs.close()
        gpus = None
        try:
            gpus = ours.recv()
            for _ in rest:
                findings.append(ours.recv())
            return findings, gpus
        except (KeyboardInterrupt, SystemExit):
            process.kill()  # it only reads
            raise
        except (EOFError, ConnectionError) as error:
            process.join()
            how = exit_text(process.exitcode)
            if gpus is None:
                raise RuntimeError(f"the process of the checks {how}") from error
            # a user's code can end the process; the next process checks the remaining jobs
            findings.append(Finding(f"The job cannot be checked: its process {how}"))
        finally:
            process.join()
            ours.close()


def check_jobs(
    sweep: Connection, jobs: list[tuple[dict, Path | None]], cwd: str, here: bool
) -> None:
    """Send the GPUs and the finding of each job; runs in the process that ``dry_run`` starts.

    jobs: a config and the folder of an earlier run on the same data.
    """
    exit_with_parent(ORPHAN)
    ignore_signals()
    os.chdir(cwd)
    import torch

    torch.set_num_threads(1)
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    gpus = names.split(",")[:count] if names else [str(number) for number in range(count)]
    sweep.send(gpus)
    checks = CachedChecks(here)
    for config, earlier in jobs:
        sweep.send(checks.finding(config, earlier))


class CachedChecks:
    """Checks jobs, and caches the result of every part, so that shared parts are checked once."""

    def __init__(self, here: bool) -> None:
        self.here = here
        self.seen: dict[str, Any] = {}

    def finding(self, config: dict, earlier: Path | None = None) -> Finding:
        """Return the finding of one config."""
        from dlcourse.engine.datasets import split_training_data
        from dlcourse.engine.fingerprint import with_division
        from dlcourse.engine.instantiate import build, build_all
        from dlcourse.engine.same_data import refuse_other_data

        try:
            build_all(config)
            if self.here:
                make = build(config["runtime"])
                self.once(lambda: make().refuse_too_few_gpus(), "runtime", config["runtime"])
            streams = config["random_streams"]
            data = self.once(partial(shape_of, config), "data", config["data"], streams)
            parts = self.once(
                partial(split_training_data, config, data),
                "split",
                config["data"],
                config["split"],
                streams,
            )
            if earlier is not None:
                refuse_other_data(earlier, with_division(data, parts))
            known = (data.input_shape, data.output_size)
            return Finding(
                "",
                self.once(
                    partial(count_parameters, config, *known), "model", config["model"], known
                ),
            )
        except UserError as error:
            return Finding(str(error))
        except (Exception, SystemExit) as error:
            if own := user_code_message(error):
                return Finding(own)
            traceback.print_exc()
            return Finding(f"{type(error).__name__}: {error}")

    def once(self, find: Callable[[], Any], *parts: Any) -> Any:
        """Return the cached result of ``find`` for parts of a config, or raise its error."""
        key = atomic_files.to_json(parts)
        if key not in self.seen:
            try:
                self.seen[key] = find()
            except (Exception, SystemExit) as error:
                self.seen[key] = error
        if isinstance(self.seen[key], BaseException):
            raise self.seen[key]
        return self.seen[key]


def shape_of(config: dict) -> Any:
    """Read the data; return the data set with its training targets, and without the inputs."""
    import torch

    from dlcourse.core import Split
    from dlcourse.engine.datasets import load_data

    data = load_data(config)
    no_inputs = torch.empty(0, *data.input_shape)
    return replace(
        data,
        train=Split(no_inputs, data.train.targets.clone()),
        test=Split(no_inputs, torch.empty(0)),
    )


def count_parameters(config: dict, inputs: tuple[int, ...], outputs: int) -> int:
    """Return the number of a model's parameters; published weights are not downloaded."""
    from dlcourse.engine.assemble import make_model
    from dlcourse.introspect.summary import made_without_values

    node = with_random_weights(config["model"])
    model = made_without_values(partial(make_model, node, tuple(inputs), outputs))
    return sum(parameter.numel() for parameter in model.parameters())
