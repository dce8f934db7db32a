"""What a person sees of a sweep while it goes on."""

import sys
from collections import Counter
from time import monotonic

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dlcourse.sweep.course import Course
from dlcourse.sweep.job import Job


class Progress:
    """Prints a line for every job that ends, and keeps some at the bottom of a terminal."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.monitor, self.mode = course.told.monitor, course.told.mode
        self.running: dict[str, str] = {}
        self.ended = Counter()
        self.started = monotonic()
        self.screen = Console(highlight=False, soft_wrap=True)
        self.live: Live | None = None

    def __enter__(self) -> "Progress":
        if sys.stdout.isatty():
            self.live = Live(get_renderable=self.bottom, console=self.screen, transient=True)
            self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.live is not None:
            self.live.stop()

    def starts(self, job: Job) -> None:
        """Take in that a job starts."""
        self.running[job.label] = ""

    def epoch(self, job: Job, number: int, figure: float) -> None:
        """Take in that an epoch of a job has ended."""
        self.running[job.label] = f"epoch {number}  {self.monitor} {figure:.4f}"

    def done(self, job: Job, figure: float, seconds: float) -> None:
        """Say that a job is done."""
        self.ends(job, "done", f"{self.monitor} {figure:.4f}  {seconds:.1f} s")

    def pruned(self, job: Job, epoch: int, figure: float) -> None:
        """Say that a job was ended early."""
        self.ends(job, "pruned", f"pruned after epoch {epoch}, {self.monitor} {figure:.4f}")

    def failed(self, job: Job, reason: str, log: str, *, again: bool) -> None:
        """Say that a job has failed, why, and where to read more."""
        told = f"FAILED: {reason}\n  what it said is in {log}"
        self.ends(job, "again" if again else "failed", told)

    def ends(self, job: Job, state: str, told: str) -> None:
        """Print a job's line: how many have ended, which, how, and how long the rest will take."""
        self.running.pop(job.label, None)
        self.ended[state] += 1
        width = len(str(self.course.total))
        count = f"[{self.course.ended:{width}}/{self.course.total}]"
        first, *more = told.split("\n")
        last = "runs once more" if state == "again" else self.left()
        line = "  ".join(part for part in (f"{count} {job.label}", first, last) if part)
        self.say("\n".join([line, *more]))

    def say(self, line: str) -> None:
        """Print a line above the bottom one."""
        self.screen.print(Text(line.rstrip()))
        sys.stdout.flush()

    def left(self) -> str:
        """Return how long the rest will take, judged by the jobs that have ended here so far."""
        rest = self.course.total - self.course.ended
        here = sum(self.ended.values())
        if rest <= 0 or not here:
            return ""
        return f"{spoken((monotonic() - self.started) / here * rest)} left"

    def bottom(self) -> Text:
        """Return the lines at the bottom of a terminal."""
        counts = [
            f"{self.course.ended} of {self.course.total} jobs ended",
            f"{len(self.running)} running",
            *(f"{self.ended[s]} {s}" for s in ("failed", "pruned") if self.ended[s]),
        ]
        parts = [", ".join(counts)]
        if self.course.best is not None:
            figure, label = self.course.best
            parts.append(f"best {self.monitor} {figure:.4f}: {label}")
        lines = [f"  {label}  {at}" for label, at in self.running.items()]
        return Text("\n".join([*lines, "  " + "  ".join([*parts, self.left()]).rstrip()]))


def spoken(seconds: float) -> str:
    """Return a time as a person says it: ``40 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
