"""The machine and the versions of a measurement."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dlcourse.timing.worker import cores

LIBRARIES = ("torch", "numpy", "lightning", "keras", "torchvision", "pillow", "timm")
SHOWN_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # the processor's flags to print


def hardware() -> str:
    """Return the number of cores, the processor and its flags, the memory and the GPU as text."""
    model, flags = platform.processor() or platform.machine(), ""
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        lines = dict(line.split(":", 1) for line in cpus.read_text().splitlines() if ":" in line)
        facts = {key.strip(): value.strip() for key, value in lines.items()}
        model = facts.get("model name", model)
        flags = ", ".join(flag for flag in SHOWN_FLAGS if flag in facts.get("flags", "").split())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [f"{cores()} cores of {model}", flags, f"{memory:.0f} GiB", gpu()]
    return "; ".join(part for part in parts if part)


def gpu() -> str:
    """Return the name of the GPU, or ""; torch is imported only if there is an NVIDIA driver."""
    if not Path("/proc/driver/nvidia").exists() and not Path("/dev/nvidia0").exists():
        return ""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def versions() -> str:
    """Return the versions of Python and of the installed libraries as text."""
    found = [f"Python {platform.python_version()}"]
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
