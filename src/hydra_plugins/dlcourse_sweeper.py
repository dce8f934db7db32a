"""The Hydra plugin of ``dlcourse.sweep``: ``-m`` calls it with ``hydra/sweeper=dlcourse``."""

import sys
from collections.abc import Sequence

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class DlcourseSweeper(Sweeper):
    """Passes a sweep's overrides to ``dlcourse.sweep.run_sweep``.

    params: what a preset sweeps, ``{"optim": "sgd,adam"}``; an override of the same key replaces
    it.
    """

    def __init__(self, params: DictConfig | None = None) -> None:
        self.params = {str(key): str(value) for key, value in (params or {}).items()}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Store the config that Hydra composed of the overrides that all jobs share."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def sweep(self, arguments: Sequence[str]) -> None:
        """Run the sweep; exits with status 1 if a job failed."""
        from dlcourse.sweep.run_sweep import run_sweep  # Hydra opens every plugin at every start
        from dlcourse.terminal.command import FAILED

        assert self.config is not None  # Hydra calls setup before
        assert self.hydra_context is not None
        outcome = run_sweep(
            self.config, self.params, list(arguments), self.hydra_context, self.task_function
        )
        if outcome is not None and outcome.failed:
            sys.exit(FAILED)
