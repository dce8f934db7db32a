"""How every command of dlcourse ends: one message, an exit status, no traceback."""

import errno
import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dlcourse.errors import DivergedError, OwnCodeError, UserError, nearest, shown
from dlcourse.schema.kinds import Number
from dlcourse.terminal.streams import steady_streams
from dlcourse.terminal.user_code import explained

VENV = Path(sys.prefix)
FORBIDDEN = "Give yourself the right to read and write it, or name another one"
ROOM = (
    "Make room on the disk; what is finished is kept, and resume=<folder of the run> continues it"
)
REFUSED = {
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
    errno.EROFS: FORBIDDEN,
    errno.ENAMETOOLONG: "Type a shorter name",
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
}
"""What the system may refuse a file for, and what to do about it."""
FULL = (errno.ENOSPC, errno.EDQUOT)
WRONG, FAILED, INTERRUPTED = 2, 1, 130
LONGEST = 1000  # characters of a line of a message


@contextmanager
def one_message() -> Iterator[None]:
    """Turn what went wrong for the user into one message on stderr and an exit status.

    2: the command cannot be carried out, or a file may not be used. 1: training diverged, or memory
    or the disk ran out. 130: Ctrl-C.
    143: SIGTERM. Whatever the surroundings are like, stdout and stderr can be written to.
    """
    terminable()
    tidy_environment()
    with steady_streams(), errors_said():
        refuse_deleted_folder()
        yield


def tidy_environment() -> None:
    """Take away what other programs have set for themselves and what would mislead us.

    Plots are drawn into files, so a notebook's or a window's backend is of no use, and one that is
    not installed here would end matplotlib's import. An empty variable means that it is not set.
    """
    os.environ["MPLBACKEND"] = "agg"
    if not os.environ.get("DLCOURSE_DATA", "set"):
        del os.environ["DLCOURSE_DATA"]
    for name in ("COLUMNS", "LINES"):
        if not re.fullmatch(r"0*[1-9][0-9]*", os.environ.get(name, "1")):
            del os.environ[name]


def refuse_deleted_folder() -> None:
    """Raise UserError where the folder that the command was typed in is gone."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise UserError(
            "The folder you are in has been deleted.\nType cd <a folder that is there>, and again"
        ) from error


@contextmanager
def errors_said() -> Iterator[None]:
    """Say what went wrong for the user, and end with an exit status."""
    try:
        yield
    except UserError as error:
        say(error)
        sys.exit(WRONG)
    except (DivergedError, OwnCodeError) as error:
        say(error)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        own, refused = explained(error), refused_by_the_system(error)
        if is_out_of_memory(error):
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            say(
                f"There is not enough memory: {reason}\n"
                "Type a smaller batch_size, data.size or model; "
                f"{own_name('scripts/shapes.py')} with the same overrides shows what a model takes"
            )
        elif own:
            say(own)
        elif refused:
            what = f"{shown(refused.filename)}: {refused.strerror}"
            say(f"A file or folder cannot be used: {what}.\n{REFUSED[refused.errno]}")
            sys.exit(FAILED if refused.errno in FULL else WRONG)
        else:
            raise
        sys.exit(FAILED)


def refused_by_the_system(error: BaseException | None) -> OSError | None:
    """Return the error by which the system refused a file, if that is what lies behind another.

    A log that cannot be opened, for example, becomes a ValueError in Python's ``logging``.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in REFUSED and error.filename is not None:
            return error
        error = error.__cause__ or error.__context__
    return None


def terminable() -> None:
    """Let SIGTERM end this process as Ctrl-C does, with everything closed, and status 143."""

    def terminate(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, terminate)


def own_name(program: str = "train.py") -> str:
    """Return how a program of this clone is typed, by the command that is running.

    ``python train.py`` and ``dlcourse-train`` are as the user typed them; ``scripts/shapes.py`` is
    named from where they stand. program: its path inside the clone.
    """
    running = Path(sys.argv[0])
    if "dlcourse" in running.name and program == "train.py":
        return running.name
    clone = Path(__file__).parents[3]
    if running.parent.name == "scripts" or (running.parent / "clone.py").is_file():
        clone = Path(os.path.normpath(running.parent / ".."))
    elif running.name == "train.py":
        clone = running.parent
    python = sys.orig_argv[0] if "python" in Path(sys.orig_argv[0]).name else "python"
    return f"{python} {shlex.quote(str(clone / program))}"


def dashboard(folder: str) -> str:
    """Return the command that shows a folder's runs in TensorBoard, as it can be typed here."""
    if shutil.which("tensorboard") is not None:
        return f"tensorboard --logdir {shlex.quote(folder)}"
    if VENV.is_relative_to(Path.cwd()) and Path("Makefile").is_file() and " " not in folder:
        return f"make dashboard LOGDIR={folder}"
    return f"{shlex.quote(sys.executable)} -m tensorboard.main --logdir {shlex.quote(folder)}"


def is_out_of_memory(error: Exception) -> bool:
    """Return whether Python, NumPy or PyTorch, on the CPU or on a GPU, asked for memory in vain."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)


def say(error: Exception | str) -> None:
    """Print an error's message, its further lines indented."""
    lines = (
        line if len(line) <= LONGEST else f"{line[:LONGEST]} ..." for line in str(error).split("\n")
    )
    text = "\n  ".join(lines)
    print(f"dlcourse: {text}", file=sys.stderr)


def arguments(
    words: Sequence[str], defaults: Mapping[str, str | None], usage: str
) -> dict[str, str | None]:
    """Read a script's ``key=value`` words; a default of None makes a key required.

    Prints the usage and ends for ``--help``. Raises UserError for unknown and missing keys.
    """
    if {"-h", "--help"} & set(words):
        print(usage.strip())
        sys.exit(0)
    command = "\n".join(line for line in usage.splitlines() if line.startswith("    "))
    right = corrected(words, defaults)
    if right != list(words):
        again = " ".join([own_name(script_of(usage)), *map(shlex.quote, right)])
        wrong = next((word for word in words if word not in right), words[0])
        raise UserError(
            f"{wrong} is not understood: options are typed key=value, without dashes or spaces.\n"
            f"Type {again}"
        )
    values = dict(defaults)
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in defaults:
            raise UserError(f"{word} is not understood; {nearest(key, defaults)}.\n{command}")
        values[key] = value
    for key, value in values.items():
        if value is None:
            raise UserError(f"{key}=<...> is missing.\n{command}")
    return values


def script_of(usage: str) -> str:
    """Return the path of a script inside the clone, which its usage names."""
    return next((word for word in usage.split() if word.startswith("scripts/")), "train.py")


def corrected(words: Sequence[str], keys: Iterable[str]) -> list[str]:
    """Return words as ``key=value`` where they were typed in another of the usual ways.

    ``--lr 0.1``, ``--lr=0.1``, ``lr = 0.1``, ``lr:0.1``, ``[a, b]`` with its space and, for one of
    the keys, ``key value``. Other words stay as they are.
    """
    keys, rest, found = set(keys), list(words), []
    while rest:
        word = rest.pop(0)
        word += closing(word, rest)
        if re.match(r"--?[A-Za-z]", word):
            key, equals, value = word.lstrip("-").partition("=")
            if not equals:
                value = rest.pop(0) if rest and is_value(rest[0]) else "true"
            word = f"{key.replace('-', '_')}={value}"
        elif "=" not in word and rest and rest[0].startswith("="):
            word += rest.pop(0)
        elif "=" not in word and re.fullmatch(r"[A-Za-z_][\w./]*:[^:\\/].*", word):
            word = word.replace(":", "=", 1)
        elif (word in keys or re.fullmatch(r"\w+(\.\w+)+", word)) and rest and is_value(rest[0]):
            word = f"{word}={rest.pop(0)}"
        if re.fullmatch(r"[+\w./@-]+=", word) and rest and is_value(rest[0]):
            word += rest.pop(0)
        found.append(word)
    return found


def is_value(word: str) -> bool:
    """Return whether a word can only be a value: no override and no flag."""
    return "=" not in word and not re.match(r"--?[A-Za-z]", word)


def closing(word: str, rest: list[str]) -> str:
    """Take from the words that follow what closes a bracket; nothing where none does."""

    def is_open(text: str) -> bool:
        return any(text.count(pair[0]) > text.count(pair[1]) for pair in ("[]", "{}", "()"))

    taken, number = "", 0
    while is_open(word + taken) and number < len(rest):
        comma = (word + taken).endswith((",", "[", "{", "(")) or rest[number].startswith((",", "]"))
        taken += ("" if comma else ",") + rest[number]
        number += 1
    if is_open(word + taken):
        return ""
    del rest[:number]
    return taken


def number_of(words: Mapping[str, str | None], key: str, allowed: Number) -> int | float:
    """Return one of a script's words as a number; raises UserError for what is not allowed."""
    text = words[key] or ""
    try:
        value = int(text) if allowed.whole else float(text)
    except ValueError:
        value = None
    if not allowed.allows(value):
        raise UserError(
            f"{key}={text} is not allowed: {key} takes {allowed}.\n"
            f"Type, for example, {key}={allowed.example}"
        )
    return value
