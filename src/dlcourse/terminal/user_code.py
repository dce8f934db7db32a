"""Errors in code of the user's own: where in their files, and nothing above or below it."""

import os
import sys
import sysconfig
import traceback
from collections.abc import Callable
from inspect import Parameter, signature
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.terminal.installed import shown

PACKAGE = Path(__file__).parents[1]
COMMAND = str(PACKAGE / "terminal/command.py")
DLCOURSE = (
    str(PACKAGE) + os.sep,
    str(PACKAGE.parent / "hydra_plugins") + os.sep,
    str(PACKAGE.parents[1] / "scripts") + os.sep,
    str(PACKAGE.parents[1] / "train.py"),
)
LIBRARIES = tuple({os.path.realpath(path) + os.sep for path in sysconfig.get_paths().values()})
"""Where files are that the user has not written."""

CALLED_WITH = {
    "model": ("input_shape", "output_size"), "init": ("model",), "optim": ("groups",),
    "schedule": ("epoch", "max_epochs", "scores"), "loss": ("outputs", "targets"),
    "regularizer": ("model",), "augment": ("inputs", "targets"), "stop": ("scores",),
}  # fmt: skip
"""The positional arguments with which a group's choice is called, besides its own keys."""
OFFERED = {"init": ("inputs",), "augment": ("classes", "seed", "index", "epoch")}
"""Keyword arguments that a group's choice may take, and then gets."""


def explained(error: BaseException) -> str:
    """Return an error in the user's own code with its traceback in their files.

    Empty where none of their files has a part in it.
    """
    frames, called = [], False  # by dlcourse; command.py is only what an error passes through
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
    told = "".join([*traceback.format_list(frames), *traceback.format_exception_only(error)])
    return f"Your code has an error in {shown(Path(file))}, line {line}.\n{told.rstrip()}"


def is_own(file: str) -> bool:
    """Return whether a file of a traceback is the user's."""
    real = os.path.realpath(file)
    foreign = file.startswith("<") or "site-packages" in file or "dist-packages" in file
    return bool(file) and not foreign and not real.startswith(LIBRARIES + DLCOURSE)


def not_found(target: str, error: ImportError) -> str:
    """Say that a config's ``_target_`` is in no module that there is."""
    module = target.rpartition(".")[0]
    reason = str(error) if module else "it names no module, as in my_module.MyClass"
    return (
        f"{target} cannot be imported: {reason}.\n"
        "Look at _target_ in the config; your own module must lie where Python finds it, for "
        f"example in the folder you start from, {os.getcwd()}"
    )


def check_call(group: str, target: str, function: Callable, keywords: dict) -> None:
    """Raise UserError where a choice of the user's own cannot be called as its group is called."""
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
    """Return where a function or class is defined, if that is known."""
    module = sys.modules.get(getattr(function, "__module__", ""), None)
    file = getattr(module, "__file__", None)
    code = getattr(function, "__code__", None) or getattr(function.__init__, "__code__", None)
    line = f", line {code.co_firstlineno}" if code is not None and code.co_filename == file else ""
    return f" in {shown(Path(file))}{line}" if file else ""
