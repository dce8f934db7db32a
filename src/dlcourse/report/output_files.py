"""The files of a report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcourse import atomic_files
from dlcourse.drawing.files import PLOT_FORMATS, save_figure
from dlcourse.errors import UserError
from dlcourse.terminal.installed import short_path

TEXTS = {"csv": "results.csv", "markdown": "results.md", "latex": "results.tex"}
PLOT_NAMES = ("curves", "main_effects", "heat_map", "learning_rate", "parameters", "importances")


@dataclass(frozen=True)
class OutputFiles:
    """Paths of the three tables and of the plots' folder; ``written``: files written so far."""

    folder: Path
    texts: Mapping[str, Path]
    plots: Path
    written: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, where: Path, named: Mapping[str, Path], folders: list[Path]) -> "OutputFiles":
        """Return paths in ``where``, except for those in ``named``.

        Raises UserError if a file exists already and is not in a folder of the runs, so that
        nobody's file is overwritten.
        """
        texts = {kind: named.get(kind, where / name) for kind, name in TEXTS.items()}
        plots = named.get("plots", where)
        own = [folder.resolve() for folder in folders]
        drawn = [plots / f"{name}.{kind}" for name in PLOT_NAMES for kind in PLOT_FORMATS]
        for path in (*texts.values(), *drawn):
            if path.exists() and not any(path.resolve().is_relative_to(one) for one in own):
                raise UserError(
                    f"{path} is already there, and not in a folder of the runs.\n"
                    "Type csv=, markdown=, latex= or plots= with a new name"
                )
        return cls(where, texts, plots)

    def write_text(self, kind: str, text: str) -> None:
        """Write ``csv``, ``markdown`` or ``latex``."""
        self.write(self.texts[kind], lambda path: atomic_files.write_text(path, text))

    def write_plot(self, name: str, figure: Any) -> None:
        """Write a matplotlib figure as PNG and SVG; ``name`` has no suffix."""
        self.write(self.plots / name, lambda path: save_figure(figure, path))

    def write(self, path: Path, write: Callable[[Path], Any]) -> None:
        """Write a file, or several of this name, by a function; raises UserError if that fails."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path)
        except OSError as error:
            raise UserError(
                f"{path} cannot be written: {error.strerror or error}.\n"
                "Type csv=, markdown=, latex= or plots= with a path that you may write to"
            ) from error
        inside = path.parent == self.folder
        self.written.append(path.name if inside else short_path(path))
