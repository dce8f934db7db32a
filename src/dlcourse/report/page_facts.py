"""What a report says about the runs themselves: commands, environment, warnings, failures."""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.report.formatting import value_text
from dlcourse.report.page_question import plural
from dlcourse.report.runs import StoredRun, files_named, read_note
from dlcourse.runs import start_record
from dlcourse.runs.file_shapes import manifest_misfit
from dlcourse.schema import run_files
from dlcourse.schema.overrides import check_overrides
from dlcourse.schema.untrusted import json_of, load_json

MAX_WARNINGS = 12
WARNING = re.compile(r"^\[[^\]]*\]\[(?:WARNING|ERROR)\] (.*)", re.MULTILINE)
DIGITS_SHOWN = 12


def sweep_commands(folders: Iterable[Path]) -> list[str]:
    """Return the commands of the sweeps in folders; raises UserError for a changed manifest."""
    commands = []
    for path in files_named(list(folders), run_files.MANIFEST):
        content = read_note(path) or {}
        problem = manifest_misfit(content)
        if problem:
            raise UserError(
                f"{path} is not a file that dlcourse has written: {problem}.\nDelete it"
            )
        if words := check_overrides(content.get("words", []), path):
            commands.append(command_text("sweep", words, content.get("config_dir")))
    return commands


def run_command_text(run: StoredRun) -> str:
    """Return the command that trains this run again; an empty text if it has not started.

    Raises UserError for overrides that dlcourse would not store.
    """
    if not (run.folder / run_files.OVERRIDES).exists():
        return ""
    return command_text(
        "train", start_record.stored_overrides(run.folder), config_folder_of(run.folder)
    )


def config_folder_of(folder: Path) -> str | None:
    """Return the ``--config-dir`` of a run's command, or None."""
    path = folder / run_files.HYDRA
    content = start_record.read_hydra(path) if path.exists() else {}
    sources = content.get("hydra", {}).get("runtime", {}).get("config_sources", [])
    typed = (one.get("path") for one in sources if one.get("provider") == "command-line")
    return next((folder for folder in typed if isinstance(folder, str)), None)


def command_text(command: str, overrides: Sequence[str], config_dir: str | None) -> str:
    """Return a command as it is typed in a shell."""
    own = ["--config-dir", config_dir] if config_dir else []
    return shlex.join(["dlcourse", command, *own, *overrides])


def environment_rows(runs: Sequence[StoredRun]) -> list[list[str]]:
    """Return the rows ``[what, value]`` on versions, device, data, date and time of some runs."""
    results = [run.result for run in runs if run.result]
    rows = []
    for name in dict.fromkeys(name for result in results for name in result.get("versions") or {}):
        rows.append([name, distinct_text((r.get("versions") or {}).get(name) for r in results)])
    rows.append(["device", distinct_text(result.get("device") for result in results)])
    rows.append(["data", distinct_text(result.get("data") for result in results)])
    rows.append(["examples", distinct_text(examples_text(result) for result in results)])
    rows.append(["parameters", distinct_text(result.get("parameters") for result in results)])
    rows.append(
        ["fingerprint of the data", distinct_text(fingerprint_text(run.folder) for run in runs)]
    )
    dates = sorted(filter(None, (end_of_run(run.folder) for run in runs)))
    if dates:
        first, last = f"{dates[0]:%Y-%m-%d %H:%M}", f"{dates[-1]:%Y-%m-%d %H:%M}"
        rows.append(["finished", first if first == last else f"{first} to {last}"])
    seconds = sum(result["seconds"] for result in results)
    rows.append(["training time", f"{seconds:,.1f} s in {plural(len(results), 'run')}"])
    return [row for row in rows if row[1]]


def distinct_text(values: Iterable[Any], most: int = 4) -> str:
    """Return the distinct_text values as text, with their numbers if there are several."""
    counts = Counter(value_text(value) for value in values if value not in (None, ""))
    if len(counts) < 2:
        return "".join(counts)
    named = [f"{text} ({plural(number, 'run')})" for text, number in counts.most_common(most)]
    more = [f"{len(counts) - most} more"] if len(counts) > most else []
    return "; ".join([*named, *more])


def examples_text(result: dict) -> str:
    """Return the sizes of the parts of the data, ``1,150 train, 287 val, 360 test``."""
    sizes = result.get("examples") or (result.get("folds") or [{}])[0].get("examples") or {}
    return ", ".join(f"{number:,} {part}" for part, number in sizes.items())


def fingerprint_text(folder: Path) -> str:
    """Return the start of the digests of a run's training and test data; empty without them."""
    try:
        about = json_of(str(atomic_files.load_arrays(folder / run_files.DATA)["about"]))
        digests = {part: about[part]["digest"][:DIGITS_SHOWN] for part in ("train", "test")}
    except FileNotFoundError:
        return ""
    except (atomic_files.DamagedFileError, ValueError, KeyError, TypeError):
        return f"{run_files.DATA} is damaged"
    return ", ".join(f"{part} {digest}" for part, digest in digests.items())


def findings_in(folder: Path) -> list[str]:
    """Return what the observer diagnostics has found in a run, in sentences; none without it."""
    path = folder / run_files.DIAGNOSIS
    try:
        findings = load_json(path)["findings"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{run_files.DIAGNOSIS} cannot be read"]
    sentences = [str(finding) for finding in findings] if isinstance(findings, list) else []
    return sentences or ["Nothing unusual was found."]


def end_of_run(folder: Path) -> datetime | None:
    """Return when a run's result was written; None without one."""
    path = folder / run_files.RESULT
    return datetime.fromtimestamp(path.stat().st_mtime) if path.exists() else None


def warnings_of(runs: Iterable[StoredRun]) -> list[str]:
    """Return the warnings in the logs of some runs, each once, with the number of runs."""
    counts: Counter = Counter()
    for run in runs:
        try:
            text = (run.folder / run_files.LOG).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        counts.update(set(WARNING.findall(text)))
    lines = [
        f"{text} ({plural(number, 'run')})" if number > 1 else text
        for text, number in counts.most_common(MAX_WARNINGS)
    ]
    more = len(counts) - MAX_WARNINGS
    return [*lines, f"{more} more warnings: see train.log"] if more > 0 else lines


def overrides_error(run: StoredRun) -> str:
    """Return why a run's command cannot be shown; empty if it can."""
    try:
        run_command_text(run)
    except UserError as error:
        return str(error).split("\n")[0]
    return ""
