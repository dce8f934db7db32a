"""dlcourse's loop compared with a loop in plain PyTorch that does the same operations.

Plain: both train, and compute loss and accuracy. All features: dlcourse also validates, computes
the confusion matrix, writes history, TensorBoard and checkpoints, and checks for early stopping;
the plain loop trains and validates. On a GPU both replay their step as a CUDA graph. Both must end
with the same weights, on the CPU to the last bit. Their epochs alternate in one process, so that a
drift of the machine's speed does not change the ratio. Every repeat starts with new models, because
the positions of tensors in memory can favour one loop by some per cent.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.markdown import say, table
from benchmarks.options import Options
from benchmarks.workloads import BATCH, WITHOUT_VALIDATION, WORKLOADS, compose_workload, load_images
from dlcourse.errors import UserError
from dlcourse.timing.interleave import interleave, median_and_quartiles, ratios
from dlcourse.timing.worker import wait_for_device

TITLE = "The loop against one written by hand"
GPU = True
PLAIN = [*WITHOUT_VALIDATION, "metric=[accuracy]", "observe=[]"]
FULL: list[str] = []
PICKED = ["runtime.channels_last=true", "runtime.linear=products"]
"""The options that the plain loop uses, too, in place of those that a measurement would choose."""


def measure(options: Options) -> Iterator[str]:
    """Yield a table with a row for each model, plain and with all features."""
    columns = ("model", "features", "dlcourse, s", "by hand, s", "ratio (quartiles)", "epochs")
    kinds = {"plain": PLAIN, "all features": FULL}
    yield from paired_epochs("overhead", ("lenet", "mlp"), kinds, columns, row, options)


def paired_epochs(
    what: str,
    models: Sequence[str],
    kinds: Mapping[str, list[str]],
    columns: Sequence[str],
    row: Callable[[str, str, list[str], Options], list[str]],
    options: Options,
) -> Iterator[str]:
    """Yield a table of epochs that were timed in pairs, with a row for each model and kind.

    models: those that are timed by default. kinds: the overrides of each kind.
    """
    rows: list[list[str]] = []
    for name in options.chosen(*models):
        for kind, overrides in kinds.items():
            if options.late():
                left = f"The time limit was reached before {name}, {kind}."
                yield f"{written(columns, rows)}\n\n{left}"
                return
            say(f"{what}: {name}, {kind}")
            rows.append(row(name, kind, overrides, options))
    yield written(columns, rows)


def written(columns: Sequence[str], rows: list[list[str]]) -> str:
    """Return the table, with a note on its columns."""
    return (
        f"{table(columns, rows)}\n\nSeconds an epoch, the median; the ratio is that of the pairs. "
        "Weights are equal at the end of every repeat, on the CPU to the last bit."
    )


def row(name: str, kind: str, overrides: list[str], options: Options) -> list[str]:
    """Time one model; raises UserError if the two loops end with different weights."""
    from dlcourse.timing.training import TimedTraining

    workload = WORKLOADS[name]
    config = compose_workload(workload, options, *PICKED, *overrides)
    dataset = load_images(workload, options)
    times: dict[str, list[float]] = {"dlcourse": [], "by hand": []}
    for _ in range(options.repeats):
        ours = TimedTraining(config, dataset)
        hand = ByHand(config, TimedTraining(config, dataset))
        if kind == "plain":
            found = in_turn(ours, hand, options.rounds)
        else:
            found = after_each_epoch(ours, hand, options.rounds, config)
        for side, values in found.items():
            times[side] += values
        compare(name, ours.state.model, hand.model)
    pairs = ratios(times["dlcourse"], times["by hand"])
    values = [f"{median(times[side]):.3f}" for side in ("dlcourse", "by hand")]
    return [name, kind, *values, median_and_quartiles(pairs, ".3f"), str(len(pairs))]


def in_turn(ours, hand, rounds: int) -> dict[str, list[float]]:
    """Time epochs of both loops, in a changing order, after one epoch that is not measured."""
    timers = {"dlcourse": timed(ours.epoch), "by hand": timed(hand.epoch)}
    for timer in timers.values():
        timer(0)
    return interleave(timers, rounds)


def after_each_epoch(ours, hand, rounds: int, config) -> dict[str, list[float]]:
    """Time the epochs of a whole run with ``fit``, and after each of them one of the other loop."""
    from dlcourse.core import Observer
    from dlcourse.timing.training import observers_of

    class Turn(Observer):
        """Times the epoch that has ended, then an epoch of the other loop."""

        def __init__(self) -> None:
            self.seconds: dict[str, list[float]] = {"dlcourse": [], "by hand": []}
            self.other = timed(hand.epoch)
            self.since = perf_counter()

        def epoch(self, state) -> None:
            wait_for_device()
            self.seconds["dlcourse"].append(perf_counter() - self.since)
            self.seconds["by hand"].append(self.other(len(state.history) - 1))
            self.since = perf_counter()

    turn = Turn()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours.run(rounds + 1, [*observers_of(config, folder, stack), turn])
    return {side: values[1:] for side, values in turn.seconds.items()}


def timed(epoch):
    """Return a function (epoch number) -> seconds of that epoch."""

    def run(number: int) -> float:
        started = perf_counter()
        epoch(number)
        wait_for_device()
        return perf_counter() - started

    return run


def compare(name: str, first, second) -> None:
    """Raise UserError for models with different weights; on a GPU they may differ by rounding."""
    import torch

    pairs = list(zip(first.parameters(), second.parameters(), strict=True))
    exact = pairs[0][0].device.type == "cpu"
    alike = torch.equal if exact else partial(torch.allclose, rtol=0.1, atol=0.01)
    if not all(alike(mine, other) for mine, other in pairs):
        raise UserError(f"{name}: the two loops end with different weights")


class ByHand:
    """A plain PyTorch loop for this case only: data in memory, channels_last, a fused optimizer.

    ours: a new run of the same config; only its model and its data are used.
    """

    def __init__(self, config, ours) -> None:
        import torch

        from dlcourse.machine.cuda_graph import eager

        self.model = ours.state.model
        self.seed = config["seed"]
        self.train, self.val = ours.fold.train, ours.fold.val
        self.mean, self.scale = ours.fold.standardize.mean, ours.fold.standardize.scale
        self.last = config["runtime"]["channels_last"] and self.train.inputs.dim() == 4
        if config["augment"]:
            raise UserError("cases=overhead has no augmentation; type models=lenet,mlp")
        self.graph = None
        self.captures = ours.recipe.graph is not eager
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=config["optim"]["lr"], fused=True, capturable=self.captures
        )
        if self.captures:
            device = self.train.device
            self.optimizer.param_groups[0]["lr"] = torch.tensor(
                config["optim"]["lr"], device=device
            )
            self.total, self.hits = self.zeros()
            self.index = torch.zeros(BATCH, dtype=torch.int64, device=device)

    def epoch(self, number: int) -> None:
        """Train once over all images; validate if there is a validation part."""
        import torch
        from torch.nn import functional as F

        from dlcourse.train.rng import epoch_order

        self.model.train()
        order = epoch_order(len(self.train), self.seed, number).to(self.train.device)
        total, hits = self.zeros()
        if self.captures:
            total, hits = self.total.zero_(), self.hits.zero_()
        for number, index in enumerate(order.split(BATCH)):
            if not self.captures or len(index) < BATCH or (self.graph is None and number < 3):
                self.step(index, total, hits)
            else:
                self.index.copy_(index)
                self.captured(total, hits).replay()
        total.item()
        hits.item()
        if self.val is None:
            return
        self.model.eval()
        total, hits = self.zeros()
        with torch.no_grad():
            for index in torch.arange(len(self.val), device=self.val.device).split(512):
                inputs, targets = self.batch(self.val, index)
                outputs = self.model(inputs)
                total += F.cross_entropy(outputs, targets) * len(targets)
                hits += (outputs.argmax(1) == targets).sum()
        total.item()
        hits.item()

    def step(self, index, total, hits) -> None:
        """Train on one batch; add its loss and its correct predictions to the sums."""
        from torch.nn import functional as F

        inputs, targets = self.batch(self.train, index)
        outputs = self.model(inputs)
        loss = F.cross_entropy(outputs, targets)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        total += loss.detach() * len(targets)
        hits += (outputs.detach().argmax(1) == targets).sum()

    def captured(self, total, hits):
        """Return the CUDA graph of a step, captured at the first call."""
        import torch

        if self.graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.step(self.index, total, hits)
            self.graph = graph
        return self.graph

    def zeros(self) -> tuple:
        """Return zeros for the sum of the losses and the number of correct predictions."""
        import torch

        device = self.train.device
        return (
            torch.zeros((), dtype=torch.float64, device=device),
            torch.zeros((), dtype=torch.int64, device=device),
        )

    def batch(self, split, index) -> tuple:
        """Return normalised images (N, C, H, W) in the model's memory format, and classes (N,)."""
        import torch

        inputs = torch.sub(split.inputs.index_select(0, index), self.mean).mul_(self.scale)
        if self.last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return inputs, split.targets.index_select(0, index)
