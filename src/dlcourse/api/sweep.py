"""Run a sweep from Python as the command line does."""

from collections.abc import Iterable
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from dlcourse.api.figures import ReportPage, inline
from dlcourse.api.isolation import isolated
from dlcourse.api.overrides import overrides_of
from dlcourse.api.progress import sweep_progress
from dlcourse.api.run import Run, as_frame
from dlcourse.cli import resumed_sweep
from dlcourse.errors import UserError
from dlcourse.machine.fork_server import own_fork_server
from dlcourse.runs import start_record
from dlcourse.schema import run_files
from dlcourse.schema.compose import (
    compose_job,
    compose_sweep,
    explain,
    keep_for_options,
    without_hydra,
)
from dlcourse.schema.hydra_api import hydra_context, typed_overrides
from dlcourse.schema.overrides import key_of
from dlcourse.schema.trust import foreign
from dlcourse.sweep.run_sweep import run_sweep
from dlcourse.terminal.installed import short_path

if TYPE_CHECKING:
    import pandas  # pyright: ignore[reportMissingImports]
    from matplotlib.figure import Figure

    from dlcourse.report.points import Point


class Sweep:
    """A sweep's runs, ranked by their validation metric; in a notebook it shows its table.

    folder: of the sweep. trust: modules outside dlcourse that its runs may call. device: of their
    models, ``"cpu"``, ``"cuda"`` ...; None for the configs'.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        trust: Iterable[str] = (),
        device: str | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._trust = tuple(trust)
        self._device = device

    @cached_property
    def _points(self) -> "list[Point]":
        from dlcourse.report.points import group_points
        from dlcourse.report.ranking import rank_by_data
        from dlcourse.report.runs import find_runs

        points = group_points(find_runs([self.folder]))
        ranked = rank_by_data(points)
        return [*ranked, *(point for point in points if not point.repeats)]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """A dict for each combination, the best first, those without a finished run last.

        ``{"rank": 1, "optim": "adam", "n": 3, "val/accuracy": 0.98, "std": 0.004, "test/accuracy":
        0.97, "epochs": 21.0, "seconds": 9.3, "status": "done"}``: means over ``n`` seeds or
        folds, with the sample standard deviation of the validation metric (None for one run). A
        combination whose runs all failed has no metrics; ``"status"`` is the reason.
        """
        from dlcourse.report.points import column_keys
        from dlcourse.report.ranking import ranks_of
        from dlcourse.report.table_rows import mean_epochs, test_name, total_seconds

        keys = column_keys(self._points)
        ranked = [point for point in self._points if point.repeats]
        rows = []
        for point, place in zip(ranked, ranks_of(ranked), strict=True):
            rows.append(
                {
                    "rank": place,
                    **{key: point.values.get(key) for key in keys},
                    "n": len(point.repeats),
                    point.monitor: point.val.mean,
                    "std": point.val.std,
                    test_name(point.monitor): point.test.mean if point.test else None,
                    "epochs": mean_epochs(point),
                    "seconds": total_seconds(point),
                    "status": status(point),
                }
            )
        for point in self._points[len(ranked) :]:
            options = {key: point.values.get(key) for key in keys}
            rows.append({"rank": None, **options, "n": 0, "status": status(point)})
        return rows

    def frame(self) -> "pandas.DataFrame":
        """Return the rows as a pandas DataFrame; raises UserError if pandas is not installed."""
        return as_frame(self.rows)

    def curves(self) -> "Figure":
        """Draw the validation metric and the loss of every combination over the epochs.

        The same plot is ``curves.png`` in the sweep's folder; a notebook shows the figure.
        """
        from dlcourse.report.plots.curves import draw_curves
        from dlcourse.report.points import column_keys

        figure = draw_curves(self._points, column_keys(self._points))
        if figure is None:
            raise UserError(f"No run in {short_path(self.folder)} has a history to draw")
        return inline(figure)

    def report(self) -> ReportPage:
        """Write the sweep's report, as ``dlcourse report``; a notebook shows it.

        The result is the path of ``report.html`` in the sweep's folder.
        """
        from dlcourse.report.page import write_page

        with isolated():
            return ReportPage(write_page([self.folder]))

    @cached_property
    def runs(self) -> list[Run]:
        """The finished runs, those of the best combination first."""
        return [
            Run(run.folder, trust=self._trust, device=self._device)
            for point in self._points
            for run in point.runs
            if run.result is not None
        ]

    @property
    def best(self) -> Run:
        """The best run of the best combination, by the validation metric.

        Raises UserError if no run has finished.
        """
        if not self.runs:
            raise UserError(
                f"No run of the sweep in {short_path(self.folder)} has finished.\n"
                "sweep.rows says why"
            )
        point = self._points[0]
        sign = 1 if point.mode == "max" else -1
        finished = [run for run in point.runs if run.result is not None]
        best = max(finished, key=lambda run: sign * (run.result or {})["best"])
        return Run(best.folder, trust=self._trust, device=self._device)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<dlcourse.Sweep {self._headline()} in {short_path(self.folder)}>"

    def _headline(self) -> str:
        jobs = sum(len(point.runs) for point in self._points)
        return f"{len(self.runs)} of {jobs} runs finished, {len(self.rows)} combinations"

    def _repr_html_(self) -> str:
        from dlcourse.api.html import rows_as_html

        shown = short_path(self.folder)
        return rows_as_html(self._headline(), self.rows, f"Table and plots are in {shown}")


def sweep(
    *overrides: str,
    folder: str | PathLike[str] | None = None,
    resume: "str | PathLike[str] | Sweep | None" = None,
    config_dir: str | PathLike[str] | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Sweep:
    """Run every combination of the overrides as ``dlcourse sweep`` does; return their table.

    Each run has a process and a folder of its own. Processes are forked from a fresh one, never
    from the caller, which may be using a GPU.

    overrides: as typed on the command line, ``"optim=sgd,adam"``, ``"optim.lr=0.1,0.01"``.
    settings: keys as Python objects; a list is tried value by value: ``model=["mlp", "lenet"]``,
        ``**{"optim.lr": [0.1, 0.01]}``. Those of the sweep are ``seeds=3`` (the number of seeds of
        each combination), ``workers=2`` (runs at a time), ``sweep="random"``, ``on_error="stop"``.
    folder: where the sweep is written; by default ``outputs/sweeps/<time>-<keys>``.
    resume: the folder of a sweep, or a sweep, whose missing runs are to be run; a complete one is
        returned at once.
    config_dir: the folder of your own configs.
    quiet: print nothing but warnings.

    Raises ``dlcourse.UserError`` before the first run if the sweep cannot be run. Runs that fail do
    not raise: ``"status"`` in their rows is the reason.

    >>> dlcourse.sweep("optim=sgd,adam", seeds=3).best.result["val"]["accuracy"]
    0.9861
    """
    own = None if config_dir is None else fspath(config_dir)
    if resume is not None:
        settings["resume"] = Path(resume.folder if isinstance(resume, Sweep) else resume)
    if folder is not None:
        settings["hydra.sweep.dir"] = Path(folder)
    with isolated():
        typed = overrides_of(overrides, settings, own, swept=True)
        resumed = resumed_sweep(typed, own)
        if resume is not None and resumed is None:
            raise UserError(f"{settings['resume']} holds no sweep.\nType the folder of a sweep")
        if resumed is not None:
            typed = resumed
        with own_fork_server(), sweep_progress(quiet):
            place = run_in_new_folder(keep_for_options(typed, typed), own)
        return Sweep(place, trust=modules_of(place) if resumed is None else trust_in(typed, own))


def run_in_new_folder(overrides: list[str], config_dir: str | None) -> Path:
    """Run a sweep as Hydra's sweeper plugin does; return its folder."""
    master = compose_sweep(overrides, config_dir)
    try:
        refuse_elsewhere(master)
        params = dict(master.hydra.sweeper.get("params") or {})
        swept = typed_overrides(master)
        outcome = run_sweep(master, params, swept, hydra_context(config_dir), lambda cfg: None)
    except (HydraException, OmegaConfBaseException) as error:
        raise explain(error, overrides, config_dir) from error
    if outcome is None:
        raise UserError("check=true runs nothing, so there is no sweep to return.\nLeave it out")
    return outcome.folder


def modules_of(folder: Path) -> list[str]:
    """Return the modules outside dlcourse that the runs of the caller's own sweep call.

    They can be trusted, because this call wrote their stored configs or compared them with its own.
    """
    places = (path.parents[1] for path in folder.glob(f"*/{run_files.CONFIG}"))
    names = (name for place in places for name in foreign(start_record.stored_config(place)))
    return list(dict.fromkeys(name.split(".")[0] for name in names))


def trust_in(overrides: list[str], config_dir: str | None) -> list[str]:
    """Return the modules that the user names with ``trust=`` when resuming a sweep."""
    typed = [override for override in overrides if key_of(override) == "trust"]
    return without_hydra(compose_job(typed, config_dir))["trust"]


def refuse_elsewhere(master: DictConfig) -> None:
    """Raise UserError if one of Hydra's plugins would run the sweep or its jobs."""
    choices = master.hydra.runtime.choices
    for key, own in {"hydra/sweeper": "dlcourse", "hydra/launcher": "basic"}.items():
        if choices[key] != own:
            raise UserError(
                f"{key}={choices[key]} is not for Python, where a sweep runs on this machine.\n"
                "Leave it out, or type the sweep on the command line"
            )


def status(point: "Point") -> str:
    """Return ``done``, or how the runs of a combination ended, each with its reason."""
    if point.complete:
        return "done"
    ended = [f"{run.status}: {run.reason}" if run.reason else run.status for run in point.runs]
    return "; ".join(dict.fromkeys(ended))
