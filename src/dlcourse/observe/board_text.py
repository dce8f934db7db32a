"""The text tab of TensorBoard: how the run was started, and its config."""

import shlex
from pathlib import Path

from dlcourse.runs.labels import shown_labels
from dlcourse.runs.start_record import stored_config, stored_overrides
from dlcourse.schema.run_files import CONFIG


def run_texts(folder: Path) -> dict[str, str]:
    """Return texts in Markdown: ``command``, ``overrides`` and ``config``; none without a config.

    folder: of the run, or of one of its folds.
    """
    whole = next((one for one in (folder, folder.parent) if (one / CONFIG).exists()), None)
    if whole is None:
        return {}
    overrides = stored_overrides(whole)
    command = " \\\n    ".join(["dlcourse train", *map(shlex.quote, overrides)])
    listed = [indented(one) for one in overrides] or ["none: all options have their defaults"]
    labels = shown_labels(stored_config(whole))
    return {
        **({"run/0 note and tags": "\n\n".join(labels.values())} if labels else {}),
        "run/1 command": indented(command),
        "run/2 overrides": "\n\n".join(listed),
        "run/3 config": indented((whole / CONFIG).read_text(encoding="utf-8")),
    }


def indented(text: str) -> str:
    """Return a text as a block of code in Markdown, which shows it literally."""
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines())
