"""The output of a sweep on the terminal."""

import sys
from collections import Counter
from time import monotonic

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dlcourse.sweep.job import Job
from dlcourse.sweep.scheduler import Scheduler
from dlcourse.terminal.installed import short_path
from dlcourse.terminal.live_line import cells, clipped, columns, duration, fitting, on_terminal

WIDTH_WITHOUT_TERMINAL = 10_000  # columns
MOST_LINES = 8  # of running jobs; a group may have 64
MIN_LABEL_WIDTH = 12  # columns of a job's label that are always shown


class Progress:
    """Prints the facts of a sweep and a line for every job that ends; shows the running jobs live.

    The line of a job that is the best so far has a ``*``.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.monitor, self.mode = scheduler.manifest.monitor, scheduler.manifest.mode
        self.running: dict[str, str] = {}
        self.ended = Counter()
        self.reasons: set[str] = set()  # of groups that failed
        self.started = monotonic()
        self.terminal = on_terminal()
        self.screen = Console(highlight=False, soft_wrap=True, force_jupyter=False)
        self.live: Live | None = None

    def __enter__(self) -> "Progress":
        for name, value in self.facts().items():
            self.say(f"{name:9}{value}")
        if self.terminal:
            self.live = Live(get_renderable=self.bottom, console=self.screen, transient=True)
            self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.live is not None:
            self.live.stop()

    def facts(self) -> dict[str, str]:
        """Return the facts of the sweep that are printed at the start, by their names."""
        manifest, total = self.scheduler.manifest, self.scheduler.total
        over = f" over {', '.join(manifest.keys)}" if manifest.keys else ""
        workers = self.scheduler.plan.settings.workers
        jobs = f"{total} job{'s' * (total != 1)}, {workers} at a time"
        if self.scheduler.ended:
            jobs += f", {self.scheduler.ended} of them done before"
        facts = {
            "sweep": f"{manifest.method}{over}",
            "jobs": jobs,
            "monitor": f"{self.monitor}, {self.mode}imum",
            "folder": short_path(self.scheduler.folder),
        }
        sharing = self.scheduler.sharing
        if sharing is not None and sharing.others:
            running = "; ".join(command.label for command in sharing.others)
            facts["shared"] = f"joined a sweep that another command runs ({running})"
        return facts

    def starts(self, job: Job) -> None:
        """Show that a job has started."""
        self.running[job.label] = ""

    def epoch(self, job: Job, number: int, value: float) -> None:
        """Show the last epoch of a running job, and its value."""
        self.running[job.label] = f"epoch {number}  {self.monitor} {value:.4f}"

    def done(self, job: Job, value: float, seconds: float) -> None:
        """Print that a job is done."""
        best = self.scheduler.best is not None and self.scheduler.best[1] == job.label
        text = f"{self.monitor} {value:.4f} {'*' if best else ' '}"
        self.ends(job, "done", text, f"{seconds:.1f} s")

    def elsewhere(self, job: Job, result: dict | None) -> None:
        """Print that another command has ended a job. result: None if it failed."""
        if result is None:
            self.ends(job, "failed", f"FAILED: {self.scheduler.failed[job.folder]}", shorten=False)
        else:
            self.done(job, result["best"], result["seconds"])

    def pruned(self, job: Job, epoch: int, value: float) -> None:
        """Print that a job was pruned."""
        self.ends(job, "pruned", f"pruned after epoch {epoch}, {self.monitor} {value:.4f}")

    def failed(self, job: Job, reason: str, log: str, *, again: bool) -> None:
        """Print that a job has failed, why, and the path of its log."""
        state = "again" if again else "failed"
        self.ends(job, state, f"FAILED: {reason}", shorten=False)
        self.say(f"  log: {log}")

    def ungrouped(self, job: Job, reason: str) -> None:
        """Print once that the process of a group has failed, whose jobs are run one by one."""
        self.running.pop(job.label, None)
        if reason not in self.reasons:
            self.reasons.add(reason)
            self.say(f"A group of jobs {reason}: each of them is run by itself")

    def ends(self, job: Job, state: str, how: str, *more: str, shorten: bool = True) -> None:
        """Print a job's line: the number of ended jobs, its label, how it ended, the time left.

        more: further parts, dropped with the time left on a narrow terminal if ``shorten``.
        """
        self.running.pop(job.label, None)
        self.ended[state] += 1
        width = len(str(self.scheduler.total))
        count = f"[{self.scheduler.ended:{width}}/{self.scheduler.total}]"
        last = "runs once more" if state == "again" else self.left()
        rest = [part for part in (*more, last) if part]
        if shorten and self.terminal:
            self.say(job_line(count, job.label, how, rest, columns()))
        else:
            self.say("  ".join([f"{count} {job.label}", how, *rest]))

    def say(self, line: str) -> None:
        """Print a line above the live lines."""
        self.screen.print(Text(line.rstrip()))
        sys.stdout.flush()

    def left(self) -> str:
        """Return the estimated time left as text, from the jobs that this command has ended."""
        rest = self.scheduler.total - self.scheduler.ended
        here = sum(self.ended.values())
        if rest <= 0 or not here:
            return ""
        return f"{duration((monotonic() - self.started) / here * rest)} left"

    def bottom(self) -> Text:
        """Return the live lines at the bottom of a terminal."""
        counts = [
            f"{self.scheduler.ended} of {self.scheduler.total} jobs ended",
            f"{len(self.running)} running",
            *(f"{self.ended[s]} {s}" for s in ("failed", "pruned") if self.ended[s]),
        ]
        parts = [", ".join(counts), self.left()]
        if self.scheduler.best is not None:
            value, label = self.scheduler.best
            parts.append(f"best {self.monitor} {value:.4f}: {label}")
        width = columns() if self.terminal else WIDTH_WITHOUT_TERMINAL
        lines = [f"  {label}  {at}" for label, at in list(self.running.items())[:MOST_LINES]]
        if len(self.running) > MOST_LINES:
            lines.append(f"  … and {len(self.running) - MOST_LINES} more")
        lines.append("  " + fitting([part for part in parts if part], width - 2))
        shown = "\n".join(clipped(line, width - 1).rstrip() for line in lines)
        return Text(shown, no_wrap=True, overflow="ellipsis")


def job_line(count: str, label: str, how: str, more: list[str], width: int) -> str:
    """Return a job's line with less than ``width`` columns.

    Parts of ``more`` are left out first, then the label is clipped.
    """
    line = fitting([f"{count} {label}", how, *more], width)
    if how in line:
        return line
    room = max(MIN_LABEL_WIDTH, width - cells(f"{count}   {how}") - 2)
    return fitting([f"{count} {clipped(label, room)}…", how], width)
