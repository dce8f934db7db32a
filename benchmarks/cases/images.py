"""Images per second that are read from JPEG files for training at 224 x 224 pixels.

dlcourse, torchvision's ImageFolder with DataLoader, and timm's loader have a process each and take
turns of one pass over the files: on one core, then with as many workers as there are cores.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.image_readers import AUGMENTED, OURS, PEERS, memory_of_tree, reader_with_one_thread
from benchmarks.implementations import MissingError
from benchmarks.markdown import say, table
from benchmarks.options import Options
from benchmarks.photographs import write_photographs
from dlcourse.timing.interleave import interleave, median_and_quartiles, ratios
from dlcourse.timing.worker import cores

if TYPE_CHECKING:
    from dlcourse.timing.worker import Worker

TITLE = "Images from disk"
GPU = False
FOLDERS = ((500, 375, 320), (1024, 768, 192))
"""Width and height of the files, and their number."""
DIFFERENT = 20  # files of a folder that are not copies
NOTE = (
    "dlcourse's batches are bytes: they become floats, are cropped and mirrored on the device. "
    "`augmented`: on this CPU. MiB: of all processes with their workers, PyTorch included; what "
    "they share counts once."
)


def measure(options: Options) -> Iterator[str]:
    """Yield a table for each size of the files."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as top, ExitStack() as stack:
        readers, out = started([*OURS, AUGMENTED, *PEERS], options, stack)
        for width, height, count in FOLDERS:
            if options.late():
                yield f"The time limit was reached before {width} x {height}."
                return
            files = options.steps or count
            folder = write_photographs(Path(top), width, height, files, min(DIFFERENT, files))
            say(f"images: {width} x {height}")
            yield compare(readers, folder, options.rounds)
    yield "\n\n".join([NOTE, *out])


def started(
    names: list[str], options: Options, stack: ExitStack
) -> tuple[dict[str, "Worker"], list[str]]:
    """Start a process for each reader; also return a line for each one that is left out."""
    from dlcourse.timing.worker import Worker  # a process each

    readers, out = {}, []
    for name in names:
        if name.split(",")[0] not in options.without:
            readers[name] = Worker(reader_with_one_thread, name, daemon=False)
            stack.callback(readers[name].close)
    for name in list(readers):
        try:
            readers[name].wait()
        except MissingError as error:
            del readers[name]
            out.append(f"{name} is left out: {error}.")
    return readers, out


def compare(readers: dict[str, "Worker"], folder: Path, rounds: int) -> str:
    """Time all readers with a folder; return the results as Markdown."""
    several = cores()
    seconds, memory = {}, {}
    for workers in (0, several):
        for name, reader in readers.items():  # not measured: workers start
            memory[name] = peak_of_tree(reader, folder, workers)
        timers = {name: timer(reader, folder, workers) for name, reader in readers.items()}
        seconds[workers] = interleave(timers, rounds)
    peers = [name for name in readers if name in PEERS]
    rows = [
        [
            name,
            median_and_quartiles([1 / value for value in alone], ",.0f"),
            *("" if name in PEERS else median_and_quartiles(ratios(seconds[0][peer], alone))
              for peer in peers),
            median_and_quartiles([1 / value for value in seconds[several][name]], ",.0f"),
            f"{memory[name] / 2**20:,.0f}",
        ]
        for name, alone in seconds[0].items()
    ]  # fmt: skip
    columns = [
        "reader", "images/s, one core (quartiles)", *(f"times {peer}" for peer in peers),
        f"images/s, {several} workers", "MiB",
    ]  # fmt: skip
    count = sum(1 for _ in folder.rglob("*.jpg"))
    head = f"**{folder.name}**, {count} files, {rounds} passes each"
    return f"{head}\n\n{table(columns, rows)}"


def timer(reader: "Worker", folder: Path, workers: int) -> Callable[[int], float]:
    """Return a function (round) -> seconds per image of one pass; timm leaves out a small batch."""

    def run(number: int) -> float:
        seconds, images = reader.call("epoch", folder, workers)
        return seconds / max(images, 1)

    return run


def peak_of_tree(reader: "Worker", folder: Path, workers: int) -> int:
    """Return the peak memory of a reader and its workers during one pass, looked at repeatedly."""
    seen, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            seen.append(memory_of_tree(reader.process.pid or 0))

    watch = threading.Thread(target=look)
    watch.start()
    try:
        reader.call("epoch", folder, workers)
    finally:
        over.set()
        watch.join()
    return max(seen)
