"""Lets a script run from a clone in which the package is not installed; imported first."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from dlcourse.terminal.installed import require_installed

require_installed()
