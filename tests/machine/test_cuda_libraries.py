"""CUDA's libraries are loaded in a thread, which changes nothing else and cannot end a run."""

import logging
import threading

import torch

from dlcourse.machine import cuda_libraries
from dlcourse.machine.cuda_libraries import loading_libraries


def test_libraries_are_loaded_in_a_thread_that_ends_with_the_block(monkeypatch):
    threads = []
    synchronize = lambda device: threads.append(threading.current_thread())  # noqa: E731
    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    before = torch.get_rng_state()
    with loading_libraries(torch.device("cpu")):
        pass
    (thread,) = threads
    assert thread is not threading.main_thread()
    assert not thread.is_alive()
    assert torch.equal(torch.get_rng_state(), before)


def test_an_error_in_the_thread_is_only_logged(monkeypatch, caplog):
    def fail(*_, **__):
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(cuda_libraries.F, "conv2d", fail)
    with caplog.at_level(logging.INFO), loading_libraries(torch.device("cpu")):
        pass
    assert "Loading CUDA's libraries ahead failed: CUDA error: out of memory" in caplog.text
