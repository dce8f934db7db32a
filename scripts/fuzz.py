"""Give damaged and odd files to every reader: each must return a value or say what is wrong.

    python scripts/fuzz.py [target=all] [seconds=60] [cases=0] [seed=0] [keep=outputs/fuzz]
    python scripts/fuzz.py target=<its name> case=<a file that was kept>

target: all, or names with commas between them; target=list lists them. target=integrity instead
damages a checkpoint, a cache and an IDX file in every way: all truncations, 10,000 random bits,
every bit of the headers. seconds: for each target.
cases: the number of inputs for each target; 0 for as many as fit into the seconds. keep: where the
inputs that crash are written. case: an input to try again; the traceback is shown.

A crash is an exception that is not one of dlcourse's own messages, 5 seconds, 1 GB of memory, a
program that is started, or a file written elsewhere. The exit status is 1 if there is one.
"""

import clone  # noqa: F401  (finds src/)

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process with one thread can be forked

from dlcourse.errors import UserError, nearest
from dlcourse.schema.arguments import arguments, number_argument, whole_number_argument
from dlcourse.schema.bounds import SEED, whole_number
from dlcourse.schema.kinds import Number
from dlcourse.terminal.command import one_message
from fuzzing.drive import kept, run_apart
from fuzzing.integrity import check_integrity
from fuzzing.targets import TARGETS

DEFAULTS = {"target": "all", "seconds": "60", "cases": "0", "seed": "0", "keep": "outputs/fuzz",
            "case": ""}  # fmt: skip


def main() -> None:
    """Read the options, run the targets and print a line for each."""
    typed = arguments(sys.argv[1:], DEFAULTS, __doc__)
    if typed["target"] == "list":
        print("\n".join(f"{name:12} {one.about}" for name, one in TARGETS.items()))
        return
    if typed["target"] == "integrity":
        integrity(whole_number_argument(typed, "seed", SEED))
        return
    names = chosen(typed["target"])
    seconds = number_argument(typed, "seconds", Number(0.1, 1e6, 60))
    cases = whole_number_argument(typed, "cases", whole_number(0, 10**9, 1000))
    number = whole_number_argument(typed, "seed", SEED)
    keep = Path(typed["keep"]).absolute()
    if typed["case"]:
        try_again(names, Path(typed["case"]))
        return
    crashed = False
    for name in names:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            prepared = TARGETS[name].prepare(Path(folder))
            score = run_apart(prepared, name, Path(folder), number, seconds, cases)
        print(score, flush=True)
        for path, reason in kept(score, keep):
            crashed = True
            print(f"  {reason}\n  again: python scripts/fuzz.py target={name} case={path}")
    if crashed:
        sys.exit(1)


def integrity(number: int) -> None:
    """Print how many changes of each kind are noticed; exit with 1 if one is missed."""
    missed = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for name, score in check_integrity(Path(folder), number):
            missed += score["missed"]
            print(
                f"{name} {score['noticed']:7,} noticed {score['harmless']:5,} harmless "
                f"{score['missed']:5,} missed {score['seconds']:5} s", flush=True,
            )  # fmt: skip
    if missed:
        sys.exit(1)


def chosen(text: str) -> list[str]:
    """Return the targets that are named; raises UserError for one that is not there."""
    names = list(TARGETS) if text == "all" else text.strip("[]").split(",")
    for name in names:
        if name not in TARGETS:
            raise UserError(
                f"target={name} is not there; {nearest(name, TARGETS)}.\nType target=list"
            )
    return names


def try_again(names: list[str], path: Path) -> None:
    """Give one input to one target and let its error through."""
    if len(names) != 1:
        raise UserError("case= is an input of one target.\nType target=<its name> as well")
    if not path.is_file():
        raise UserError(f"case={path} does not exist.\nType a file that was kept in keep=")
    content = path.read_bytes()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        value = TARGETS[names[0]].prepare(Path(folder)).read(content)
    print(f"{path} is accepted: {value!r:.300}")


if __name__ == "__main__":
    with one_message():
        main()
