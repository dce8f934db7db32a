"""The bench of a lecture: it runs the commands, and keeps what they show."""

import io
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import chdir, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import dlcourse
from dlcourse.drawing.files import save_small_png
from dlcourse.lecture.claim import Claim
from dlcourse.schema.overrides import key_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run
    from dlcourse.api.sweep import Sweep

SIZES = {
    "default": "seconds to minutes on 2 CPU cores",
    "full": "the scale of the paper, where it matters",
    "smoke": "tiny data and one epoch: tests the code, shows nothing",
}
"""The sizes of a lecture."""


class Printed(NamedTuple):
    """What a command printed, and the folder below ``outputs`` that it made; None for none."""

    text: str
    folder: Path | None


class Bench:
    """Runs a lecture's commands, and keeps its numbers, images and claims.

    folder: of this lecture; the runs are stored below it. size: one of ``SIZES``. overrides: added
    to every run, for the smoke and the full form. started: called with each command before it runs.
    """

    def __init__(
        self,
        folder: Path,
        size: str = "default",
        overrides: Sequence[str] = (),
        started: Callable[[str], object] = len,
    ) -> None:
        self.folder, self.size, self.overrides, self.started = folder, size, overrides, started
        self.numbers: dict[str, Any] = {}
        self.images: dict[str, Path] = {}
        self.claims: list[Claim] = []
        self.commands: list[str] = []

    @property
    def smoke(self) -> bool:
        """Whether this is the smoke form; use it for what ``SMOKE`` cannot make small."""
        return self.size == "smoke"

    def train(self, *overrides: str) -> "Run":
        """Train a run as ``dlcourse train``; return it, with its model on the CPU.

        The run draws no plots (``observe=[history]``) unless an override says what observes it:
        the lecture takes its figures from ``run.curves()``, ``run.look("boundary")`` ...
        """
        folder = self._next("train", overrides)
        run = dlcourse.train(*self._sized(overrides), folder=folder, quiet=True)
        return dlcourse.Run(run.folder, device="cpu")

    def sweep(self, *overrides: str) -> "Sweep":
        """Run a sweep as ``dlcourse sweep``; return it.

        As in ``train``, its runs draw no plots, and their models are on the CPU.
        """
        folder = self._next("sweep", overrides)
        found = dlcourse.sweep(*self._sized(overrides), folder=folder, quiet=True)
        return dlcourse.Sweep(found.folder, device="cpu")

    def look(self, run: "Run", what: str, **options: Any) -> "list[Figure]":
        """Look into a run as ``dlcourse look``; return the figures.

        The page shows the command with ``<run>`` for the folder of the run.
        """
        typed = [f"{key.rstrip('_')}={value}" for key, value in options.items()]
        self._show_command("look", ["<run>", f"what={what}", *typed])
        found = run.look(what, **options)
        return found if isinstance(found, list) else [found]

    def command(self, name: str, *args: str) -> Printed:
        """Run another command of dlcourse, such as ``race``, in the lecture's folder.

        What it writes to ``outputs`` lies in the lecture's folder. Raises UserError as it does.
        """
        self._show_command(name, args)
        program = import_module(f"dlcourse.commands.{name.replace('-', '_')}")
        data = os.path.abspath(os.environ.get("DLCOURSE_DATA", "data"))
        before, argv = set(self.folder.glob("outputs/*/*")), sys.argv[:]
        saved, printed = os.environ.get("DLCOURSE_DATA"), io.StringIO()
        os.environ["DLCOURSE_DATA"] = data
        sys.argv = [f"dlcourse {name}", *args]
        try:
            with chdir(self.folder), redirect_stdout(printed):
                program.main(list(args))
        finally:
            sys.argv = argv
            if saved is None:
                del os.environ["DLCOURSE_DATA"]
            else:
                os.environ["DLCOURSE_DATA"] = saved
        new = sorted(set(self.folder.glob("outputs/*/*")) - before)
        return Printed(printed.getvalue(), new[0] if new else None)

    def number(self, name: str, value: Any) -> Any:
        """Keep a number, or a list or dict of numbers and texts, for the page; return it.

        name: as the page's template writes it, ``{{ n.<name> }}``.
        """
        self.numbers[name] = value
        return value

    def figure(self, name: str, figure: "Figure") -> None:
        """Keep a figure as an image, which the page's template shows by this name."""
        path = self.folder / "images" / f"{name}.png"
        save_small_png(figure, path, dpi=40 if self.smoke else 110)
        self.images[name] = path

    def claim(
        self,
        text: str,
        value: float,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Claim a sentence that is true if the measured value is within the bounds.

        The bounds leave a margin for another machine. The smoke form judges no claim.
        """
        assert at_least is not None or at_most is not None, "a claim needs a bound"
        self.claims.append(Claim(text, float(value), at_least, at_most))

    def _next(self, name: str, overrides: Sequence[str]) -> Path:
        self._show_command(name, overrides)
        return self.folder / "runs" / str(len(self.commands))

    def _show_command(self, name: str, args: Sequence[str]) -> None:
        runs = re.compile(re.escape(f"{self.folder / 'runs'}{os.sep}") + r"(\d+)")
        named = [runs.sub(r"<run \1>", arg) for arg in args]  # the folder of the n-th command
        typed = " ".join(arg if "<run" in arg else shlex.quote(arg) for arg in named)
        self.commands.append(f"dlcourse {name} {typed}".strip())
        self.started(self.commands[-1])

    def _sized(self, overrides: Sequence[str]) -> list[str]:
        replaced = {key_of(one) for one in self.overrides}
        kept = [one for one in overrides if key_of(one) not in replaced]
        quiet = [] if any(key_of(one) == "observe" for one in overrides) else ["observe=[history]"]
        return [*kept, *self.overrides, *quiet]
