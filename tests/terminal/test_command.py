"""How a command ends on an error that no check can find: memory, disk, permissions."""

import errno
import os
from pathlib import Path

import pytest
import torch

from dlcourse.terminal.command import one_message


def too_much_in_python():
    raise MemoryError("Unable to allocate 30 GiB for an array")


def too_much_in_pytorch():
    torch.empty(2**46, dtype=torch.float64)


def too_much_on_a_gpu():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


def too_much_without_a_message():
    raise MemoryError


@pytest.mark.parametrize(
    "allocate",
    [too_much_in_python, too_much_in_pytorch, too_much_on_a_gpu, too_much_without_a_message],
)
def test_a_lack_of_memory_gets_one_message(allocate, capsys):
    with pytest.raises(SystemExit) as ended, one_message():
        allocate()
    assert ended.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith("dlcourse: There is not enough memory: ")
    assert "accumulate=4" in message
    assert "batch_size" in message


def test_an_error_of_the_program_is_not_hidden():
    with pytest.raises(RuntimeError, match="a slip"), one_message():
        raise RuntimeError("a slip")


@pytest.mark.parametrize(
    ("number", "status", "reason", "advice"),
    [
        (errno.EACCES, 2, "cannot be used: you have no right to use it", "Give yourself the right"),
        (errno.EROFS, 2, "cannot be written: the disk is read-only", "Make it writable"),
        (errno.ENAMETOOLONG, 2, "cannot be used: its name is too long", "Type a shorter name"),
        (errno.ENOSPC, 1, "cannot be written: no space left on the disk (", "Make room"),
        (errno.EDQUOT, 1, "cannot be written: your share of the disk is used up", "Delete files"),
        (errno.EFBIG, 1, "cannot be written: a file may not be larger", "Type ulimit -f unlimited"),
        (errno.EIO, 1, "cannot be used: the disk reports an error", "Copy the folder"),
    ],
)
@pytest.mark.parametrize("chained", [False, True], ids=["plain", "as the cause of another error"])
def test_a_file_that_the_system_refuses_is_named_with_a_remedy(
    number, status, reason, advice, chained, capsys
):
    def open_file():
        try:
            raise OSError(number, os.strerror(number), "run/caf\udce9.log")
        except OSError as error:
            if not chained:
                raise
            raise ValueError("Unable to configure handler 'file'") from error

    with pytest.raises(SystemExit) as ended, one_message():
        open_file()
    assert ended.value.code == status
    message = capsys.readouterr().err
    assert message.startswith(f"dlcourse: run/caf\\xe9.log {reason}")
    assert f"\n  {advice}" in message


@pytest.mark.parametrize(
    "error", [OSError(errno.ECHILD, "a slip", "x"), OSError("a slip"), ValueError("a slip")]
)
def test_other_os_errors_and_value_errors_are_not_hidden(error):
    with pytest.raises(type(error), match="a slip"), one_message():
        raise error


def test_a_file_that_is_not_there_does_not_explain_a_later_error():
    def slip():
        try:
            Path("not/there").read_text()
        except FileNotFoundError as error:
            raise KeyError("a slip") from error

    with pytest.raises(KeyError), one_message():
        slip()
