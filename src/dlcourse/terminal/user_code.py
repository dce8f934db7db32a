"""Describe errors in the user's own code, with the lines of their files only."""

import os
import sys
import sysconfig
import traceback
from collections.abc import Callable
from inspect import Parameter, signature
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.terminal.installed import short_path

PACKAGE = Path(__file__).parents[1]
COMMAND = str(PACKAGE / "terminal/command.py")
DLCOURSE = (
    str(PACKAGE) + os.sep,
    str(PACKAGE.parent / "hydra_plugins") + os.sep,
    str(PACKAGE.parents[1] / "scripts") + os.sep,
    str(PACKAGE.parents[1] / "train.py"),
)
LIBRARIES = tuple({os.path.realpath(path) + os.sep for path in sysconfig.get_paths().values()})
"""Folders of Python and of installed libraries."""

CALLED_WITH = {
    "model": ("input_shape", "output_size"), "init": ("model",), "optim": ("groups",),
    "schedule": ("epoch", "max_epochs", "scores"), "loss": ("outputs", "targets"),
    "regularizer": ("model",), "augment": ("inputs", "targets"), "stop": ("scores",),
}  # fmt: skip
"""The positional arguments with which a choice of a group is called, before its own options."""
OFFERED = {"init": ("inputs",), "augment": ("classes", "seed", "index", "epoch")}
"""Keyword arguments that are passed to a choice of a group if it has a parameter for them."""


def user_code_message(error: BaseException) -> str:
    """Return a message for an error in the user's own code, with the traceback of their files.

    Empty if the traceback contains none of their files.
    """
    frames, called = [], False  # called: by dlcourse, not counting command.py, which runs all
    for frame in traceback.extract_tb(error.__traceback__):
        if called and is_own(frame.filename):
            frames.append(frame)
        called = called or (frame.filename.startswith(DLCOURSE) and frame.filename != COMMAND)
    if isinstance(error, SyntaxError) and is_own(error.filename or ""):
        file, line = error.filename or "", error.lineno
    elif frames:
        file, line = frames[-1].filename, frames[-1].lineno
    else:
        return ""
    report = "".join([*traceback.format_list(frames), *traceback.format_exception_only(error)])
    return f"Your code has an error in {short_path(Path(file))}, line {line}.\n{report.rstrip()}"


def is_own(file: str) -> bool:
    """Return whether a file of a traceback belongs to the user."""
    real = os.path.realpath(file)
    foreign = file.startswith("<") or "site-packages" in file or "dist-packages" in file
    return bool(file) and not foreign and not real.startswith(LIBRARIES + DLCOURSE)


def not_found(target: str, error: ImportError | ValueError, key: str = "_target_") -> str:
    """Return the message for code that a config names at ``key`` and that cannot be imported."""
    module = target.rpartition(".")[0]
    reason = str(error) if module else "it names no module, as in my_module.MyClass"
    return (
        f"{target} cannot be imported: {reason}.\n"
        f"Look at {key} in the config; your own module must be where Python finds it, for "
        f"example in the folder you start from, {os.getcwd()}"
    )


def check_call(group: str, target: str, function: Callable, keywords: dict) -> None:
    """Raise UserError if the user's own choice cannot be called with the arguments of its group."""
    positional = CALLED_WITH.get(group)
    if positional is None:
        return
    try:
        parameters = signature(function).parameters
    except ValueError:  # some functions written in C do not have one
        return
    extra = {name: None for name in OFFERED.get(group, ()) if name in parameters}
    try:
        signature(function).bind(*positional, **(extra | keywords))
    except TypeError as error:
        keys = f" and the keys {', '.join(keywords)}" if keywords else ""
        takes = ", ".join(
            str(parameter.replace(annotation=Parameter.empty)) for parameter in parameters.values()
        )
        raise UserError(
            f"{target}{place(function)}: {error}.\n"
            f"A choice of {group} is called with ({', '.join(positional)}){keys}; "
            f"yours takes ({takes})"
        ) from error


def place(function: Callable) -> str:
    """Return `` in <file>, line <n>`` for a function or class; empty if it is unknown."""
    module = sys.modules.get(getattr(function, "__module__", ""), None)
    file = getattr(module, "__file__", None)
    code = getattr(function, "__code__", None) or getattr(function.__init__, "__code__", None)
    line = f", line {code.co_firstlineno}" if code is not None and code.co_filename == file else ""
    return f" in {short_path(Path(file))}{line}" if file else ""
