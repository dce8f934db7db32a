"""The command line ``dlcourse <command> ...``: finds the command and runs it."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from dlcourse import __version__
from dlcourse.errors import UserError, nearest
from dlcourse.terminal.command import MULTIRUN, in_own_form, one_message

COMMANDS = {
    "train": "train one run: model=lenet optim=adam",
    "sweep": "run every combination of values: optim=sgd,adam seeds=3",
    "evaluate": "measure a finished run's best weights on its test part or other data",
    "predict": "predict images or the rows of a table with a finished run",
    "export": "write a model for use without dlcourse: format=onnx",
    "collect": "write a ranked table and plots of finished runs",
    "compare": "compare two finished runs, with a test on the same test examples",
    "rerun": "train a run again from its stored config, perhaps with other options",
    "runs": "list runs: what, how good, finished or how to resume",
    "note": "show or change the note and the tags of a run",
    "share": "copy a run without what it says about your machine, to hand it out",
    "report": "write a page on runs: answer, tables, curves, plots, how to reproduce",
    "show": "draw what can be seen before training: data, schedules, initial weights",
    "race": "draw the paths of optimizers on a surface: surface=ravine",
    "find-lr": "find a learning rate with a short test in which it grows",
    "baseline": "fit methods without a network on the same split: method=knn,svm,forest",
    "lecture": "run an idea of the course as an experiment, and write its page",
    "shapes": "list a model's layers: shapes, parameters, receptive fields, memory",
    "doctor": "measure where a run's time goes and what makes it faster",
    "check-gradient": "compare a hand-written backward with numeric gradients",
    "look": "draw what a trained network looks like inside",
    "new": "make a folder for a project of your own, which trains at once",
    "catalogue": "list the choices of every group and their options",
    "completion": "print the code that switches on completion with Tab in bash",
}
"""What each command does, in one line."""

OVERVIEW = """\
Deep-learning experiments from the command line: every idea of a course is one option.

  dlcourse train model=lenet optim=adam     train one run
  dlcourse train --help                     list all choices
  dlcourse <command> --help                 explain a command

Commands:
{commands}

Options: --help, --version"""


def main() -> None:
    """Run the console script ``dlcourse`` or ``python -m dlcourse``."""
    program, args = program_typed(), sys.argv[1:]
    with one_message():
        name = command_named(args)
    if name is None:
        return
    sys.argv[:1] = [f"{program} {name}"]
    del sys.argv[1]
    run_command(name)


def command_named(args: Sequence[str]) -> str | None:
    """Return the command in the first argument; None if help or the version was printed instead.

    Raises UserError for an unknown command.
    """
    first = args[0] if args else "--help"
    if first in ("-h", "--help", "help"):
        print(main_help())
        return None
    if first == "--version":
        print(f"dlcourse {__version__}")
        return None
    name = first.replace("_", "-")
    if name in COMMANDS:
        return name
    if "=" in first or first in MULTIRUN:
        command = "sweep" if first in MULTIRUN else "train"
        rest = args[1:] if first in MULTIRUN else args
        again = " ".join([program_typed(), command, *map(shlex.quote, rest)])
        raise UserError(f"{first} is an option; a command comes first.\nType {again}")
    raise UserError(
        f"{first} is not a command; {nearest(first, COMMANDS)}.\n"
        f"Type {program_typed()} --help for what each one does"
    )


def main_help() -> str:
    """Return the help of ``dlcourse`` itself."""
    width = max(map(len, COMMANDS))
    lines = (f"  {name:{width}}  {what}" for name, what in COMMANDS.items())
    return OVERVIEW.format(commands="\n".join(lines))


def program_typed() -> str:
    """Return ``dlcourse``, or the longer form if the shell does not find the program so."""
    running = Path(sys.argv[0])
    if running.name == "__main__.py":
        return f"{shlex.quote(sys.orig_argv[0])} -m dlcourse"
    if shutil.which("dlcourse") is not None:
        return "dlcourse"
    return shlex.quote(str(running))


def run_command(name: str) -> None:
    """Run a command with the arguments in ``sys.argv``, and end with one message if it fails."""
    if name in ("train", "sweep"):
        from dlcourse import cli

        if name == "sweep" and not set(MULTIRUN) & set(sys.argv):
            sys.argv.insert(1, "-m")
        cli.main()
        return
    with one_message():
        args = sys.argv[1:]
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # the user's own model may be in the current folder
        module = import_module(f"dlcourse.commands.{name.replace('-', '_')}")
        if {"-h", "--help"} & set(args):
            explain = getattr(module, "help_for", None)  # of a command with several parts
            print(in_own_form((explain(args) if explain else module.__doc__ or "").strip()))
        else:
            module.main(args)
