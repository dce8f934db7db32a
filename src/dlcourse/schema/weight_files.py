"""Names of files with weights, known before torch is imported."""

import os
from pathlib import Path

WEIGHT_SUFFIXES = (".pth", ".pt", ".tar", ".bin", ".ckpt", ".safetensors")


def names_a_file(text: str) -> bool:
    """Return whether a text is the name of a file of weights, and not of published ones."""
    return text.endswith(WEIGHT_SUFFIXES) or "/" in text or os.sep in text


def problem_with(file: str) -> str:
    """Return why a file of weights cannot be read, as the end of a sentence; empty if it may be."""
    path = Path(file).expanduser()
    if path.is_dir():
        return "is a folder"
    if not path.exists():
        return "does not exist"
    return "" if path.stat().st_size else "is empty"
