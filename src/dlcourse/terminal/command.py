"""End every command of dlcourse with one message and an exit status, without a traceback."""

import os
import re
import shlex
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

from dlcourse.errors import (
    DivergedError,
    FileError,
    OutOfMemoryError,
    OwnCodeError,
    RankError,
    UserError,
)
from dlcourse.terminal.out_of_memory import is_out_of_memory, reason_for_memory
from dlcourse.terminal.refused import in_full, is_full, refused_by_the_system
from dlcourse.terminal.stop_signals import stopped_by_signals
from dlcourse.terminal.streams import steady_streams
from dlcourse.terminal.user_code import PACKAGE, user_code_message

VENV = Path(sys.prefix)
ONLY_INSTALLED = ("catalogue", "completion")
"""Commands without a script in a clone."""
WRONG, FAILED, INTERRUPTED = 2, 1, 130
MULTIRUN = ("-m", "--multirun")  # the flags that start a sweep
MAX_LINE_LENGTH = 1000  # characters of a line of a message
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that reverse the direction of a line, and halves of characters."""


@contextmanager
def one_message() -> Iterator[None]:
    """Turn an error of the block into one message on stderr and an exit status.

    2: the command cannot be executed, or a file cannot be used. 1: training diverged, memory or the
    disk is full, or a file cannot be written any more. 130: Ctrl-C. 143: SIGTERM. 129: SIGHUP.
    138: SIGUSR1. In the block, stdout and stderr can always be written to.
    """
    tidy_environment()
    with steady_streams(), errors_as_messages(), stopped_by_signals():
        refuse_deleted_folder()
        yield


def tidy_environment() -> None:
    """Change environment variables that other programs set and that would cause errors here.

    Plots are drawn into files, so matplotlib's backend is ``agg``: the import of matplotlib fails
    where another backend is named that is not installed. An empty DLCOURSE_DATA counts as not set,
    and so do COLUMNS and LINES that are not positive numbers.
    """
    os.environ["MPLBACKEND"] = "agg"
    if not os.environ.get("DLCOURSE_DATA", "set"):
        del os.environ["DLCOURSE_DATA"]
    for name in ("COLUMNS", "LINES"):
        if not re.fullmatch(r"0*[1-9][0-9]*", os.environ.get(name, "1")):
            del os.environ[name]


def refuse_deleted_folder() -> None:
    """Raise UserError if the current folder has been deleted."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise UserError(
            "The folder you are in has been deleted.\n"
            "Type cd <a folder that exists>, and the command again"
        ) from error


@contextmanager
def errors_as_messages() -> Iterator[None]:
    """Print the message of an error of the block, and exit with a status."""
    try:
        yield
    except UserError as error:
        print_message(error)
        sys.exit(WRONG)
    except FileError as error:
        print_message(error)
        sys.exit(error.status)
    except (DivergedError, OutOfMemoryError, OwnCodeError, RankError) as error:
        print_message(error)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        own, refused = user_code_message(error), refused_by_the_system(error)
        if is_out_of_memory(error):
            print_message(memory_message(error))
        elif own:
            print_message(own)
        elif refused:
            print_message(in_full(refused))
            sys.exit(FAILED if is_full(refused) else WRONG)
        else:
            raise
        sys.exit(FAILED)


def memory_message(error: BaseException, used: str = "") -> str:
    """Return the message for an error of too little memory.

    used: the options that determine how much is used, ``batch_size=64``.
    """
    known = f" with {used}" if used else ""
    return (
        f"There is not enough memory{known}: {reason_for_memory(error)}\n"
        "Type accumulate=4, which computes each batch in 4 pieces with the same update, or "
        "a smaller batch_size, data.size or model; "
        f"{own_name('shapes')} with the same overrides shows how much memory a model takes"
    )


def exit_with_parent(status: int) -> None:
    """End this process as soon as its parent has ended, however it did.

    status: the exit status then. It is for a process started by ``multiprocessing``.
    """
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(status)

    threading.Thread(target=watch, daemon=True).start()


def own_name(command: str = "train") -> str:
    """Return a command as this user types it.

    ``dlcourse evaluate`` for a user of ``dlcourse``, ``python scripts/evaluate.py`` for one who
    typed ``python train.py`` in a clone. command: a subcommand of ``dlcourse``, or the path of a
    program in the clone, ``benchmarks/benchmark.py``.
    """
    return started_by_torchrun(_own_name(command)) if command == "train" else _own_name(command)


def started_by_torchrun(command: str) -> str:
    """Return a command of Python with torchrun in front, in a process that torchrun has started."""
    processes = os.environ.get("LOCAL_WORLD_SIZE", "1")
    if "TORCHELASTIC_RUN_ID" not in os.environ or processes == "1":
        return command
    program, *rest = command.split(" ")
    own = rest if "python" in Path(program).name else ["--no-python", program, *rest]
    nodes = int(os.environ.get("WORLD_SIZE", processes)) // int(processes)
    several = [f"--nnodes={nodes}", "..."] if nodes > 1 else []
    return " ".join(["torchrun", *several, f"--nproc-per-node={processes}", *own])


def _own_name(command: str) -> str:
    program, _ = program_and_command()
    running = Path(sys.argv[0])
    of_clone = "/" in command
    if program and not of_clone:
        return f"{program} {command}"
    if running.stem == "dlcourse-train" and not of_clone:
        training = {"train": "dlcourse-train", "sweep": "dlcourse-train -m"}
        return training.get(command, f"dlcourse {command}")
    clone = PACKAGE.parents[1]
    if not of_clone and (command in ONLY_INSTALLED or not (clone / "train.py").is_file()):
        return f"dlcourse {command}"
    if running.parent.name in ("scripts", "benchmarks") or (running.parent / "clone.py").is_file():
        clone = Path(os.path.normpath(running.parent / ".."))
    elif running.name == "train.py":
        clone = running.parent
    python = sys.orig_argv[0] if "python" in Path(sys.orig_argv[0]).name else "python"
    path, *options = program_in_clone(command)
    return " ".join([python, shlex.quote(str(clone / path)), *options])


def program_in_clone(command: str) -> list[str]:
    """Return the path of a command's program inside a clone, and the options that it needs."""
    if "/" in command:
        return [command]
    if command in ("train", "sweep"):
        return ["train.py", *(["-m"] if command == "sweep" else [])]
    return [f"scripts/{command.replace('-', '_')}.py"]


def program_and_command() -> tuple[str, str]:
    """Return ``("dlcourse", "evaluate")`` from ``sys.argv[0]``, which commands/main.py sets.

    Both are empty if another program is running.
    """
    program, _, command = sys.argv[0].rpartition(" ")
    return (program, command) if program and is_command(command) else ("", "")


def current_command() -> str:
    """Return the name of the command that is running: ``train``, ``check-gradient``, ..."""
    _, command = program_and_command()
    name = command or Path(sys.argv[0]).stem.replace("_", "-")
    return name if is_command(name) and name != "sweep" else "train"


def is_command(name: str) -> bool:
    """Return whether this is the name of a subcommand of ``dlcourse``."""
    file = PACKAGE / "commands" / f"{name.replace('-', '_')}.py"
    return name in ("train", "sweep") or (name not in ("main", "__init__") and file.is_file())


def in_own_form(text: str) -> str:
    """Return a help text with each ``dlcourse <command>`` as this user types it."""
    return re.sub(r"\bdlcourse ([a-z]+(?:-[a-z]+)*)(?=[ \n`]|$)", with_own_name, text)


def with_own_name(found: re.Match[str]) -> str:
    """Return the replacement of a match: the command as this user types it."""
    return own_name(found[1]) if is_command(found[1]) else found[0]


def dashboard(folder: str) -> str:
    """Return the command that shows a folder's runs in TensorBoard on this machine."""
    if shutil.which("tensorboard") is not None:
        return f"tensorboard --logdir {shlex.quote(folder)}"
    if VENV.is_relative_to(Path.cwd()) and Path("Makefile").is_file() and " " not in folder:
        return f"make dashboard LOGDIR={folder}"
    return f"{shlex.quote(sys.executable)} -m tensorboard.main --logdir {shlex.quote(folder)}"


def print_message(error: Exception | str) -> None:
    """Print an error's message to stderr."""
    print(f"dlcourse: {message_text(error)}", file=sys.stderr)


def message_text(error: Exception | str) -> str:
    r"""Return an error's message as it is printed: lines after the first are indented.

    Long lines are cut, and control characters, which a file's name or content may have brought and
    which a terminal would obey, become ``\x1b``.
    """
    lines = (
        line if len(line) <= MAX_LINE_LENGTH else f"{line[:MAX_LINE_LENGTH]} ..."
        for line in str(error).split("\n")
    )
    return "\n  ".join(CONTROLS.sub(as_escape, line) for line in lines)


def as_escape(found: re.Match[str]) -> str:
    r"""Return the escape of a character, ``\x1b`` or ``\u202e``."""
    return found[0].encode("unicode_escape").decode("ascii")
