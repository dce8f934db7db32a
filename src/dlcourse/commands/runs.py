"""List runs: when, where, what, how good, and whether they are finished.

    dlcourse runs [<folder> ...] [<condition> ...] [sort=<name>] [last=20] [csv=<file>]

Without a folder it lists those below outputs, the newest first. A sweep is one line; for its jobs
type its folder, or a condition. Conditions: model=lenet, data=cifar10, optim.lr=0.01 (any option,
* stands for any text), tag=baseline, note=dropout, state=failed (finished, stopped, running,
failed, pruned), since=2026-11-01 or since=7d, until=..., and with quotes for the shell a comparison
of any metric or option: 'test/accuracy>0.9', 'epochs<10'. sort=best, test, when, a metric or an
option; sort=-best reverses it. last=all lists all. csv= also writes all that match into a file.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.report.run_conditions import read_condition, selected, sort_key
from dlcourse.report.run_list import ListedRun, ListedSweep, list_runs
from dlcourse.report.run_table import reasons, runs_csv, runs_table
from dlcourse.schema.kinds import Number
from dlcourse.schema.typed_alone import existing_folders
from dlcourse.terminal.command import own_name
from dlcourse.terminal.fitted import terminal_width, wrap_to_terminal
from dlcourse.terminal.installed import short_path

OUTPUTS = "outputs"
OPTIONS = {"sort": "when", "last": "20", "csv": ""}
LAST = Number(1, 1_000_000, 20, whole=True)


def main(args: list[str]) -> None:
    """Read the runs, print the list and write the file."""
    folders, texts, options = folders_and_conditions(args)
    conditions = [read_condition(text) for text in texts]
    entries = [entry for folder in folders for entry in list_runs(folder)]
    runs = list(runs_of(entries))
    where = " and ".join(map(short_path, folders))
    if not runs:
        print(f"There are no runs in {where}.\nType {own_name()} model=lenet data=digits for one")
        return
    found = selected(runs, conditions)
    expanded = bool(conditions) or any(
        isinstance(entry, ListedSweep) and entry.folder in folders for entry in entries
    )
    key = sort_key(options["sort"], runs)
    shown: list[ListedRun | ListedSweep] = [
        *(sorted(found, key=key) if expanded else entries_in_order(entries, key))
    ]
    if options["csv"]:
        atomic_files.write_text(Path(options["csv"]), runs_csv(sorted(found, key=key)))
    if not found:
        typed = " ".join(map(str, conditions))
        print(f"None of the {len(runs):,} runs in {where} matches {typed}.")
        return
    last = len(shown) if options["last"] == "all" else int(options["last"])
    print(runs_table(shown[:last], terminal_width()))
    if len(shown) > last:
        print(f"{last:,} of {len(shown):,}; last=all lists all")
    alone = [entry for entry in shown[:last] if isinstance(entry, ListedRun)]
    for line in reasons(alone, own_name()):
        print(wrap_to_terminal(line))
    if options["csv"]:
        print(f"{len(found):,} runs are in {options['csv']}")


def folders_and_conditions(args: Sequence[str]) -> tuple[list[Path], list[str], dict[str, str]]:
    """Return the folders, the conditions and the options; raises UserError for wrong ones."""
    named = [arg for arg in args if Path(arg).is_dir()]
    bare = [arg for arg in args if arg not in named and not set("=<>") & set(arg)]
    if bare:
        existing_folders(bare)
    options, conditions = dict(OPTIONS), []
    for arg in (arg for arg in args if arg not in named):
        key, equals, value = arg.partition("=")
        if equals and key in OPTIONS:
            options[key] = value
        else:
            conditions.append(arg)
    last = options["last"]
    if last != "all" and not (last.isdecimal() and LAST.allows(int(last))):
        raise UserError(f"last={last} is not allowed: last takes {LAST}, or all.\nType last=20")
    return [Path(name) for name in named] or [Path(OUTPUTS)], conditions, options


def runs_of(entries: Iterable[ListedRun | ListedSweep]) -> Iterable[ListedRun]:
    """Yield the runs, and the jobs of the sweeps."""
    for entry in entries:
        if isinstance(entry, ListedSweep):
            yield from entry.runs
        else:
            yield entry


def entries_in_order(
    entries: Sequence[ListedRun | ListedSweep], key: Callable[[ListedRun], tuple]
) -> list[ListedRun | ListedSweep]:
    """Return runs and sweeps in the order of a key; a sweep has the place of its best job."""

    def key_of_entry(entry: ListedRun | ListedSweep) -> tuple:
        if isinstance(entry, ListedRun):
            return key(entry)
        return min(map(key, entry.runs), default=(3, 0, ""))

    return sorted(entries, key=key_of_entry)
