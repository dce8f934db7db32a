"""Make the package importable from a clone without an installation; a benchmark's first import."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from dlcourse.terminal.installed import require_installed

require_installed()
