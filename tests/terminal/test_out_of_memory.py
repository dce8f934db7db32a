"""A lack of memory is recognised in the words of every library that reports one."""

import errno
import os

import numpy as np
import pytest

from dlcourse.terminal.out_of_memory import is_out_of_memory, line_about_memory

OPENBLAS = "OpenBLAS error: Memory allocation still failed after 10 retries, giving up."


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("std::bad_alloc"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to ..."),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED"),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
    ids=lambda error: str(error)[:40],
)
def test_every_way_to_say_it_is_recognised(error):
    assert is_out_of_memory(error)
    wrapped = ValueError("the epoch failed")
    wrapped.__cause__ = error
    assert is_out_of_memory(wrapped)


def test_numpys_own_error_is_recognised():
    with pytest.raises(MemoryError) as caught:
        np.zeros(2**50)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("out of memory"),  # a user's own words
        ImportError("libgomp.so.1: cannot allocate memory in static TLS block"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
    ],
    ids=str,
)
def test_other_errors_are_not(error):
    assert not is_out_of_memory(error)


def test_the_last_line_of_a_process_that_openblas_has_ended_is_found(tmp_path):
    output = tmp_path / "output.txt"
    assert line_about_memory(output) == ""
    output.write_text(f"epoch 1\n{OPENBLAS}\n")
    assert line_about_memory(output) == OPENBLAS
    output.write_text(f"{OPENBLAS}\nepoch 1\n")
    assert line_about_memory(output) == ""
