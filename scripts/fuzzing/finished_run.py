"""A small finished run, whose files are valid content to be changed."""

import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from dlcourse.errors import Message

RUN = ["data=csv", "data.file=people.csv", "data.target=job", "max_epochs=2", "batch_size=16",
       "optim=adam", "runtime=cpu", "observe=[history,diagnostics]",
       "model.widths=[8]", "average=ema"]  # fmt: skip


def people(folder: Path) -> Path:
    """Write a table with columns of numbers, text, truth values and dates; return its path."""
    jobs, towns = ("nurse", "clerk", "cook"), ("Ulm", "Köln", "Bonn")
    rows = [
        f"{20 + n % 40},{n * 0.37:.2f},{towns[n % 3]},{('yes', 'no')[n % 2]},"
        f"20{n % 24:02}-0{1 + n % 9}-1{n % 10},{jobs[(n + n // 7) % 3]}"
        for n in range(60)
    ]
    path = folder / "people.csv"
    path.write_text("\n".join(["age,pay,town,member,since,job", *rows]) + "\n", encoding="utf-8")
    return path


@cache
def trained() -> Path:
    """Return the folder of a finished run, trained once in a process; it must not be changed."""
    from dlcourse import train

    top = Path(tempfile.mkdtemp(prefix="fuzz-run-"))
    people(top)
    train(*RUN, f"data.root={top}", folder=top / "run", quiet=True)
    return top / "run"


def run_copy(folder: Path) -> Path:
    """Copy the finished run into a folder; return the copy."""
    return Path(shutil.copytree(trained(), folder / "run"))


def read_all(*readers: Callable[[], object]) -> None:
    """Call every reader; raises the first error of another kind than dlcourse's, or the first."""
    first = None
    for read in readers:
        try:
            read()
        except Message as error:
            first = first or error
    if first:
        raise first


def json_text(tree: Any) -> bytes:
    """Return content as JSON, with NaN, and with texts that are not Unicode."""
    return json.JSONEncoder(default=str).encode(tree).encode("utf-8", "surrogatepass")
