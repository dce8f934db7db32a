"""Plots of a finished run as PNG and SVG files."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from dlcourse.core import AllFolds, FinalTest, Fold, Observer, Recipe, State
from dlcourse.drawing.text import fonts_for
from dlcourse.guard import guarded
from dlcourse.observe.example_plots import Finished
from dlcourse.observe.frames import FRAME_SECONDS, Frames
from dlcourse.observe.run_plots import RUN_PLOTS, Draw, curves_until, plots_of_folds, plots_of_run
from dlcourse.schema.run_files import PLOTS


class Plots(Observer):
    """Writes the plots of a run into ``plots/`` in its folder, once, after the final test.

    ``curves`` of every run, also of one that diverged; of a classifier ``confusion``,
    ``per_class``, ``calibration``, ``mistakes`` and, if its metric is chosen, ``precision_recall``;
    ``boundary`` for two features, ``fit`` for a regression of one; ``weights`` of a linear model,
    ``templates`` for images. A plot that fails costs a warning. The folder of a cross-validation
    gets ``curves`` of all folds, and ``confusion`` and ``per_class`` of their pooled validation
    examples.

    animation: whether to record the boundary or the fitted curve over the epochs, and to write it
        as ``boundary.gif`` or ``fit.gif``.
    """

    def __init__(self, folder: Path, *, animation: bool) -> None:
        self.folder = folder / PLOTS
        self.frames = Frames(self.folder) if animation else None

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.recipe, self.fold = recipe, fold
        if self.frames is not None:
            self.frames.start(state.averaged, recipe, fold, len(state.history))

    def epoch(self, state: State) -> None:
        if self.frames is not None:
            self.frames.record(state.averaged, state.history[-1].epoch)

    def diverged(self, state: State) -> None:
        if state.history:
            plots = {"curves": lambda: curves_until(state, self.recipe.monitor)}
            write_run_plots(self.folder, plots, ())

    def tested(self, test: FinalTest) -> None:
        self.test = test

    def finish(self, state: State, result: dict) -> None:
        run = Finished(state, self.recipe, self.fold, self.test, result)
        names = [*self.test.dataset.classes, *self.test.dataset.features]
        write_run_plots(self.folder, plots_of_run(run), names)
        if self.frames is not None and self.frames.used:
            with guarded("The animation"), fonts_for(names):
                self.animate(self.frames)

    def animate(self, frames: Frames) -> None:
        """Write the animation of the recorded epochs."""
        from dlcourse.drawing.files import save_gif

        save_gif(frames.draw(self.test), self.folder / f"{frames.name}.gif", FRAME_SECONDS)

    def finish_folds(self, folds: AllFolds) -> None:
        write_run_plots(self.folder, plots_of_folds(folds), folds.result["classes"])


def write_run_plots(folder: Path, plots: Mapping[str, Draw], names: Iterable[str]) -> None:
    """Draw plots and write each as PNG and SVG; one that fails is left out with a warning.

    Plots of an earlier end of the run are removed. names: shown in the plots, for their fonts.
    """
    from dlcourse.drawing.files import save_figure

    for name in RUN_PLOTS:
        for kind in ("png", "svg"):
            with suppress(OSError):
                (folder / f"{name}.{kind}").unlink(missing_ok=True)
    with fonts_for(names):
        for name, draw in plots.items():
            with guarded(f"The plot {name}"):
                save_figure(draw(), folder / name)
