"""Compile a C++ file of this package for this processor, and load it."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

COMPILER_FLAGS = (
    "-O3", "-march=native", "-std=c++17", "-fopenmp", "-shared", "-fPIC",
    "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-Wno-psabi",
)  # fmt: skip
MAX_COMPILE_SECONDS = 120  # seconds


class CannotCompileError(Exception):
    """There is no compiler, or it has failed; the message is one line."""


@cache
def library(name: str) -> ctypes.CDLL:
    """Return a library of this folder, ``fused_layers`` for ``fused_layers.cpp``.

    It is compiled once for a processor and a compiler, in 2 to 5 s, and kept in the user's cache
    (``$XDG_CACHE_HOME/dlcourse`` or ``~/.cache/dlcourse``).

    It uses PyTorch's OpenMP threads: both name ``libgomp.so.1``, and PyTorch's is loaded already.
    Raises CannotCompileError.
    """
    source = Path(__file__).with_name(f"{name}.cpp")
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if platform.system() != "Linux" or compiler is None:
        raise CannotCompileError("it needs Linux and the compiler g++, or one named in CXX")
    identity = (source.read_bytes(), compiler, *COMPILER_FLAGS, processor_facts())
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
    folder = cache_folder()
    target = folder / f"{name}-{digest}.so"
    try:
        if not target.exists():
            part = folder / f"{target.name}.{os.getpid()}"  # another process may compile it too
            compile_file(compiler, source, part)
            part.replace(target)
        return ctypes.CDLL(str(target))
    except OSError as error:
        raise CannotCompileError(f"the compiled library cannot be used: {error}") from error


def compile_file(compiler: str, source: Path, target: Path) -> None:
    """Compile a file to a shared library; raises CannotCompileError."""
    command = [compiler, *COMPILER_FLAGS, "-o", str(target), str(source)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_COMPILE_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise CannotCompileError(f"{compiler} took more than {MAX_COMPILE_SECONDS} s") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
        raise CannotCompileError(f"{compiler} failed: {lines[0]}")


def processor_facts() -> str:
    """Return what a compiled file depends on: the processor's model and its instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))


def cache_folder() -> Path:
    """Return the user's cache folder, or a new temporary one if that cannot be written to."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "dlcourse"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError):
        return Path(tempfile.mkdtemp(prefix="dlcourse-"))
    return folder if os.access(folder, os.W_OK) else Path(tempfile.mkdtemp(prefix="dlcourse-"))
