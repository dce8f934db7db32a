"""Compile a model before the clock of the training starts."""

import logging
from time import perf_counter

import torch

from dlcourse.core import Fold, Recipe, State
from dlcourse.terminal.live_line import working
from dlcourse.train.step import set_train_mode

log = logging.getLogger(__name__)


def no_rehearsal(state: State, fold: Fold, recipe: Recipe) -> None:
    """Do nothing: a model that is not compiled starts at once."""


def rehearse(state: State, fold: Fold, recipe: Recipe) -> None:
    """Compute the gradients of one batch and discard them, so that the model is compiled.

    Weights, buffers and the optimizer stay as they are. Random numbers of layers are drawn, and
    every epoch starts them again. The time is printed: it is not part of the training time.
    """
    started = perf_counter()
    buffers = [(buffer, buffer.clone()) for buffer in state.model.buffers()]
    first = torch.arange(min(recipe.batch_size, len(fold.train)), device=fold.train.device)
    set_train_mode(state.model)
    with working("compiling the model"):
        for inputs, targets in fold.train.batches([first]):
            inputs, targets = recipe.share(inputs, targets)
            inputs = recipe.prepare(fold.standardize(inputs))
            recipe.differentiate(state, inputs, targets, recipe)
        if fold.train.device.type == "cuda":
            torch.cuda.synchronize()
    state.optimizer.zero_grad()
    with torch.no_grad():
        for buffer, kept in buffers:
            buffer.copy_(kept)
    line = f"runtime: compiled in {perf_counter() - started:.1f} s, before the training time starts"
    log.info(line)
    print(line, flush=True)
