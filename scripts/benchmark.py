"""Run ``benchmarks/benchmark.py``, under the path of earlier versions."""

import runpy
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"

if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER))
    runpy.run_path(str(FOLDER / "benchmark.py"), run_name="__main__")
