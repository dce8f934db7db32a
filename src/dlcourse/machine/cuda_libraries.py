"""Load CUDA's libraries in a thread, while the main thread reads the data."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import torch
from torch.nn import functional as F

log = logging.getLogger(__name__)


@contextmanager
def loading_libraries(device: torch.device) -> Iterator[None]:
    """Create the CUDA context and load cuBLAS and cuDNN in a thread; wait for it at the end.

    Both give each thread a handle of its own, and take it back for the next thread when one ends.
    """
    thread = Thread(target=load_libraries, args=(device,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def load_libraries(device: torch.device) -> None:
    """Run a small convolution and a matrix product, forward and backward; draws no numbers.

    The libraries are loaded at their first call. An error is only logged: the training will meet
    it again, and has the messages for it.
    """
    try:
        for dtype in (torch.float32, torch.bfloat16):
            images = torch.ones(8, 8, 8, 8, device=device, dtype=dtype, requires_grad=True)
            filters = torch.ones(8, 8, 3, 3, device=device, dtype=dtype, requires_grad=True)
            matrix = torch.ones(8, 8, device=device, dtype=dtype, requires_grad=True)
            maps = F.conv2d(images, filters, padding=1)  # (8, 8, 8, 8)
            (maps.mean((2, 3)) @ matrix).sum().backward()
        torch.cuda.synchronize(device)
    except RuntimeError as error:
        log.info("Loading CUDA's libraries ahead failed: %s", error)
