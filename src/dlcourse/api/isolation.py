"""Restore a process after a call: a notebook keeps its logs, threads and random numbers."""

import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from dlcourse.schema import run_files
from dlcourse.terminal.steady_logs import steady_logs
from dlcourse.terminal.stop_signals import STOPPING

LINE = "[%(asctime)s][%(levelname)s] %(message)s"  # of train.log, as in configs/train.yaml


@contextmanager
def isolated() -> Iterator[None]:
    """Restore the environment, paths, signal handlers and Hydra's state after the block.

    Within the block, the user's own modules are also found in the current folder.
    """
    environment, path, argv = dict(os.environ), sys.path[:], sys.argv[:]
    in_main_thread = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    hydra, hydra_config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        yield
    finally:
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)
        sys.path[:], sys.argv[:] = path, argv
        for number, handler in handlers.items():
            if in_main_thread and handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)
        GlobalHydra.instance().hydra, HydraConfig.instance().cfg = hydra, hydra_config


@contextmanager
def isolated_torch() -> Iterator[None]:
    """Run the block with PyTorch's settings of a new process, then restore the caller's.

    They are the default dtype and device, gradients, the precision of matrix products,
    deterministic kernels, threads, and the random states of PyTorch, NumPy and Python.
    """
    import numpy as np
    import torch

    python_state, numpy_state = random.getstate(), np.random.get_state()
    from dlcourse.machine.anomaly import detect_anomalies

    restore = [
        set_and_restore(torch.is_anomaly_enabled, detect_anomalies, False),
        set_and_restore(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        set_and_restore(torch.get_default_device, torch.set_default_device, torch.device("cpu")),
        set_and_restore(
            torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"
        ),
    ]
    threads, cudnn = torch.get_num_threads(), cast(Any, torch.backends.cudnn)
    kernels = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    switches = cudnn.benchmark, cudnn.deterministic
    device = torch.cuda.current_device() if torch.cuda.is_initialized() else None
    with torch.random.fork_rng(), torch.inference_mode(False), torch.enable_grad():
        try:
            yield
        finally:
            for put_back in restore:
                put_back()
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            cudnn.benchmark, cudnn.deterministic = switches
            if torch.are_deterministic_algorithms_enabled() != kernels[0]:
                torch.use_deterministic_algorithms(kernels[0], warn_only=kernels[1])
            if device is not None:
                torch.cuda.set_device(device)
            random.setstate(python_state)
            np.random.set_state(numpy_state)


def set_and_restore(read: Any, write: Any, value: Any) -> Any:
    """Set a switch of PyTorch to a value; return a function that restores the value before."""
    before = read()
    if before == value:
        return lambda: None
    write(value)
    return lambda: write(before)


@contextmanager
def logged_into(folder: Path) -> Iterator[None]:
    """Log into a run's ``train.log``, and warnings to stderr, as the command does.

    The caller's own log handlers are removed while the block runs, and restored after it.
    """
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    file = logging.FileHandler(folder / run_files.LOG, encoding="utf-8", errors="backslashreplace")
    file.setFormatter(logging.Formatter(LINE))
    screen = logging.StreamHandler()
    screen.setLevel(logging.WARNING)
    screen.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    root.handlers[:] = [file, screen]
    root.setLevel(logging.INFO)
    steady_logs()
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        with suppress(OSError):  # on a full disk
            file.close()
        screen.close()
