"""The stages of a command before its first training step: the output of benchmarks/startup.py."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.options import Options
from dlcourse.errors import UserError

TITLE = "Start-up"
GPU = False
SCRIPT = Path(__file__).parents[1] / "startup.py"


def measure(options: Options) -> Iterator[str]:
    """Run the script and yield its output unchanged."""
    if not SCRIPT.exists():
        yield f"Left out: {SCRIPT.parent.name}/{SCRIPT.name} does not exist."
        return
    command = [sys.executable, str(SCRIPT), f"rounds={options.rounds}"]
    if options.root:
        command.append(f"data.root={options.root}")
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        raise UserError(f"python benchmarks/{SCRIPT.name} failed:\n{ended.stderr.strip()}")
    yield f"```\n{ended.stdout.strip()}\n```"
