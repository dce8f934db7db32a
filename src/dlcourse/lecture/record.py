"""What a lecture has measured, as it is stored: ``lecture.json``."""

import os
import platform
from datetime import date
from typing import Any

from dlcourse.lecture.bench import Bench
from dlcourse.lecture.claim import Claim

RECORD = "lecture.json"


def record_of(bench: Bench, seconds: float) -> dict[str, Any]:
    """Return what a lecture has measured as plain values.

    ``{"size", "seconds", "date", "machine", "commands", "claims", "numbers", "images"}``.
    """
    return {
        "size": bench.size,
        "seconds": round(seconds, 1),
        "date": date.today().isoformat(),
        "machine": machine_text(),
        "commands": bench.commands,
        "claims": [claim._asdict() for claim in bench.claims],
        "numbers": bench.numbers,
        "images": sorted(bench.images),
    }


def claims_in(record: dict[str, Any]) -> list[Claim]:
    """Return the claims of a stored record; a value that was not finite is NaN."""
    return [
        Claim(**{**claim, "value": float("nan") if claim["value"] is None else claim["value"]})
        for claim in record["claims"]
    ]


def machine_text() -> str:
    """Return the hardware and versions that a lecture ran on, in a few words."""
    import torch

    versions = f"PyTorch {torch.__version__.partition('+')[0]}, Python {platform.python_version()}"
    gpu = f"{torch.cuda.get_device_name()}, " if torch.cuda.is_available() else ""
    return f"{gpu}{os.cpu_count()} CPU cores, {versions}"
