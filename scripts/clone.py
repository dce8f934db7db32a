"""Make the package importable from a clone without an installation; a script's first import."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from dlcourse.terminal.installed import require_installed

require_installed()
