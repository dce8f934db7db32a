"""Recognise that memory ran out, in the words of Python, NumPy, PyTorch and CUDA's libraries."""

import errno
import gc
import sys
from pathlib import Path

PHRASES = (
    "out of memory",  # CUDA, MPS
    "can't allocate memory",  # PyTorch on the CPU
    "cannot allocate memory",  # the system: fork, mmap
    "not enough memory",  # PyTorch on Windows
    "memory allocation",  # OpenBLAS, oneDNN, MAGMA
    "failed to map segment from shared object",  # a library that does not fit, as PyTorch itself
    "std::bad_alloc",
    "_STATUS_ALLOC_FAILED",  # CUBLAS_..., CUDNN_..., CUFFT_..., CUSOLVER_...
    "CUBLAS_STATUS_NOT_INITIALIZED",  # its workspace does not fit
    "CUDNN_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
)
NOT_MEMORY = ("static TLS block",)  # a limit of the loader of libraries, whatever memory there is


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error, or one that has caused it, means that memory ran out."""
    while error is not None:
        if isinstance(error, MemoryError) or says_so(error):
            return True
        error = error.__cause__
    return False


def says_so(error: BaseException) -> bool:
    """Return whether an error of a library says that memory ran out."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, RuntimeError | OSError | ImportError) and is_about_memory(str(error))


def is_about_memory(text: str) -> bool:
    """Return whether a text says that memory ran out."""
    found = (any(one.lower() in text.lower() for one in some) for some in (PHRASES, NOT_MEMORY))
    return next(found) and not next(found)


def line_about_memory(path: Path) -> str:
    """Return the last line of a process's output if it says that memory ran out; else "".

    OpenBLAS prints it and ends the process, which Python cannot prevent.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:200] if lines and is_about_memory(lines[-1]) else ""


def reason_for_memory(error: BaseException) -> str:
    """Return the first line of an error, or its type if it has no text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def free_memory() -> None:
    """Free what nothing refers to any more, also the memory that PyTorch keeps of a GPU."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
