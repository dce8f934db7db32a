"""Run a lecture, and write its page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.lecture.bench import Bench
from dlcourse.lecture.html import html_of
from dlcourse.lecture.page import page_markdown
from dlcourse.lecture.record import RECORD, record_of
from dlcourse.lecture.topic import Topic
from dlcourse.machine.fork_server import own_fork_server
from dlcourse.runs.run_folder import claim
from dlcourse.sweep.pool import process_context
from dlcourse.terminal.command import own_name

PAGE_FILE = "page.html"


def run_lecture(
    topic: Topic, size: str = "default", started: Callable[[str], object] = len
) -> tuple[Path, dict[str, Any]]:
    """Run a lecture in a new folder below ``outputs/lecture``; return the folder and the record.

    The folder has the runs, the images, the page and ``lecture.json``. started: called with each
    command before it runs. Raises UserError if the lecture has no full form.
    """
    module = import_module(f"dlcourse.lecture.topics.{topic.name}")
    if size == "full" and not topic.full:
        raise UserError(
            f"The lecture {topic.name} has no full form: its default size shows all of it.\n"
            f"Type {own_name('lecture')} {topic.name}"
        )
    overrides = {"smoke": module.SMOKE, "full": module.FULL}.get(size, ())
    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder = claim(Path("outputs/lecture") / f"{now}-{topic.name}")
    bench = Bench(folder, size, overrides, started)
    start = monotonic()
    module.measure(bench)
    record = record_of(bench, monotonic() - start)
    atomic_files.write_json(folder / RECORD, record, indent=1)
    text = page_markdown(topic, record, "images/")
    atomic_files.write_text(folder / PAGE_FILE, html_of(text, topic.title))
    return folder, record


@contextmanager
def one_fork_server() -> Iterator[None]:
    """Let all sweeps of the block fork their jobs from one process, which imports PyTorch once."""
    with own_fork_server():
        context = process_context()
        if context.get_start_method() == "forkserver":
            from multiprocessing.forkserver import ensure_running

            ensure_running()
        yield
