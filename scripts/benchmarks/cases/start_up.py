"""How long it takes until a command does something: what ``scripts/startup.py`` prints."""

import subprocess
import sys
from pathlib import Path

from benchmarks.options import Options
from dlcourse.error import UserError

TITLE = "Start-up"
GPU = False
SCRIPT = Path(__file__).parents[2] / "startup.py"


def measure(options: Options) -> str:
    """Run the script and return its output as it is."""
    if not SCRIPT.exists():
        return f"Left out: {SCRIPT.parent.name}/{SCRIPT.name} is not there."
    ended = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True)
    if ended.returncode:
        raise UserError(f"python scripts/{SCRIPT.name} failed:\n{ended.stderr.strip()}")
    return f"```\n{ended.stdout.strip()}\n```"
