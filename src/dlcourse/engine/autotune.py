"""Choose the options of ``runtime`` that only change the speed, by timing the run's own model."""

import gc
import logging
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import nn

from dlcourse.core import Dataset, Fold, Recipe, State
from dlcourse.distributed.collectives import once
from dlcourse.distributed.ranks import alone
from dlcourse.engine.assemble import make_recipe, make_state, step_of
from dlcourse.machine import fused_layers
from dlcourse.machine.linear_by_onednn import has_onednn, is_large
from dlcourse.runs import run_folder
from dlcourse.runtime import OPEN, Runtime
from dlcourse.schema.catalogue import typed_value
from dlcourse.terminal.live_line import working
from dlcourse.train.batches import all_steps
from dlcourse.train.fit import train_runner
from dlcourse.train.step import gradient_step, set_train_mode

USUAL = {
    "channels_last": True, "linear": "products", "fused_layers": False, "compile": False,
}  # fmt: skip
"""The options of runs that are too short for a measurement."""
PYTORCH_DEFAULTS = USUAL | {"channels_last": False}
MIN_EXAMPLES, MIN_SECONDS = 1_000_000, 30.0
"""Runs over fewer examples (epochs x training examples), or of fewer seconds, are not measured. The
first bound does not depend on the load of the machine: a small run always ends with the same
weights, even if it was killed and resumed."""
TRIAL_SHARE, MAX_TRIAL_SECONDS = 0.01, 10.0
"""A comparison takes 1 % of the time that the run will take, and 10 seconds at most."""
GAIN = 1.03
"""An option is chosen if three quarters of the pairs of steps are faster by more than this factor:
a smaller gain may be chance."""
COMPILE_FROM = 300.0
"""Compiling is tried in runs of at least this number of seconds. It is chosen if it saves more time
than the trial took to compile."""
UNTIMED = {"cpu": 0, "cuda": 3}
"""The first steps of a trial: on CUDA one that chooses kernels, one that is captured, a replay."""

log = logging.getLogger(__name__)


def settle(config: dict, runtime: Runtime, dataset: Dataset, fold: Fold, folder: Path) -> Runtime:
    """Return the runtime with its open options chosen, and write them into the run's folder.

    A resumed run uses the options that are written there, so that it ends as if it had not been
    stopped. All folds of a run use the same options.
    """
    if not undecided(runtime):
        return runtime
    found = once(stored_or_decided, config, runtime, dataset, fold, folder)
    return runtime.with_picks(found["picked"])


def stored_or_decided(
    config: dict, runtime: Runtime, dataset: Dataset, fold: Fold, folder: Path
) -> dict[str, dict]:
    """Return the options that are written in a run's folder, or decide and write them."""
    found = run_folder.read_picks(folder)
    if found is None:
        with alone():  # the times of one rank decide for all
            found = decide(config, runtime, dataset, fold)
        run_folder.write_picks(folder, found)
    return found


def picks_without_trial(runtime: Runtime, folder: Path) -> dict[str, dict]:
    """Return the values of the open options that a run's folder stores, else the usual ones.

    Nothing is written. Returns ``{"picked": {option: value}, "measured": {option: speedup}}``.
    """
    options = undecided(runtime)
    found = run_folder.read_picks(folder) if options else None
    return found or {"picked": {name: USUAL[name] for name in options}, "measured": {}}


def undecided(runtime: Runtime) -> list[str]:
    """Return the options that are left open (``auto``)."""
    return [name for name in USUAL if getattr(runtime, name) == OPEN]


def decide(config: dict, runtime: Runtime, dataset: Dataset, fold: Fold) -> dict[str, dict]:
    """Measure the open options if the run is long enough for it; else use ``USUAL``.

    Returns ``{"picked": {option: value}, "measured": {option: speedup}}``.
    """
    options = undecided(runtime)
    examples = len(fold.train) * config["max_epochs"]
    ordinary = step_of(config) is gradient_step and not runtime.compiles
    if options and ordinary and examples >= MIN_EXAMPLES and runtime.device.type in UNTIMED:
        with working("runtime=auto measures what is faster"):
            found = fastest_options(config, runtime, dataset, fold, options)
        gc.collect()  # frees the models that were tried: they and their optimizers form cycles
        runtime.release_memory()
        return found
    return {"picked": {name: USUAL[name] for name in options}, "measured": {}}


def fastest_options(
    config: dict, runtime: Runtime, dataset: Dataset, fold: Fold, options: list[str]
) -> dict[str, dict]:
    """Time one option after the other against PyTorch's defaults; print and return the fastest."""
    started = perf_counter()

    def ready(picks: dict[str, Any]) -> tuple[Callable[[], float], State, Recipe]:
        """Return a timed step of a new model with these options, its state and its recipe."""
        tried = runtime.with_picks(picks)
        state = make_state(config, tried, dataset, fold)
        recipe = make_recipe(config, tried, dataset, fold)
        set_train_mode(state.model)
        training = train_runner(state, fold, recipe)
        first = torch.arange(min(recipe.batch_size, len(fold.train)), device=fold.train.device)
        (batch,) = fold.train.prefetch([first])

        def step() -> float:
            start = perf_counter()
            training.run(*batch)
            runtime.wait()
            return perf_counter() - start

        for _ in range(UNTIMED[runtime.device.type]):
            step()
        return step, state, recipe

    picked = {name: PYTORCH_DEFAULTS[name] for name in options}
    now, state, recipe = ready(picked)
    now()
    steps = all_steps(recipe.steps(len(fold.train)), config["max_epochs"])
    seconds = steps * min(now() for _ in range(3))
    if seconds < MIN_SECONDS:
        return {"picked": {name: USUAL[name] for name in options}, "measured": {}}
    gains = {}
    for name, value in options_to_try(
        options, dataset.input_shape, state.model, runtime.device.type, seconds
    ):
        nhwc = picked.get("channels_last", runtime.channels_last)
        if name == "fused_layers" and not nhwc:
            continue  # they are for that order alone
        changed, begun = picked | {name: value}, perf_counter()
        try:
            then, *_ = ready(changed)
        except RuntimeError as error:  # no compiler, or no memory for a second model on the GPU
            log.info("%s=%s cannot be measured: %s", name, typed_value(value), error)
            continue
        price = perf_counter() - begun if name == "compile" else 0.0
        ratios = race(now, then, min(MAX_TRIAL_SECONDS, TRIAL_SHARE * seconds))
        gains[f"{name}={typed_value(value)}"] = gain = median(ratios)
        if ratios[len(ratios) // 4] > GAIN and seconds * (1 - 1 / gain) > price:
            now, picked = then, changed
            seconds /= gain
    if gains:
        print_choice(picked, gains, perf_counter() - started)
    return {"picked": picked, "measured": gains}


def print_choice(picked: dict[str, Any], gains: dict[str, float], seconds: float) -> None:
    """Print and log in one line what was chosen, what was measured and how long that took."""
    compared = ", ".join(f"{name} {gain:.2f}x" for name, gain in gains.items())
    kept = " ".join(f"{name}={typed_value(value)}" for name, value in picked.items())
    line = f"runtime: {kept} (a training step with {compared}; {seconds:.1f} s of trial)"
    log.info(line)
    print(line, flush=True)


def options_to_try(
    options: list[str],
    input_shape: tuple[int, ...],
    model: nn.Module,
    device: str = "cpu",
    seconds: float = 0.0,
) -> list[tuple[str, Any]]:
    """Return the options that can change a model's speed, with the value to try for each.

    device: ``cpu`` or ``cuda``. seconds: that the run is expected to take.
    """
    kinds = {type(layer) for layer in model.modules()}
    matter = {
        "channels_last": (len(input_shape) == 3 and nn.Conv2d in kinds, True),
        "linear": (
            device == "cpu" and has_onednn() and any(map(is_large, model.modules())),
            "onednn",
        ),
        "fused_layers": (
            device == "cpu" and len(input_shape) == 3 and fused_layers.can_fuse_layers(model),
            True,
        ),
        "compile": (seconds >= COMPILE_FROM, True),
    }
    return [(name, matter[name][1]) for name in options if matter[name][0]]


def race(now: Callable[[], float], then: Callable[[], float], seconds: float) -> list[float]:
    """Time two steps in turn; return the sorted speedups of ``then`` over ``now``, one per pair.

    The pairs take ``seconds`` altogether, and there are at least three.
    """
    then()
    now()
    pairs: list[tuple[float, float]] = []
    while sum(map(sum, pairs)) < seconds or len(pairs) < 3:
        pairs.append((now(), then()))
    return sorted(one / other for one, other in pairs)
