"""The floors of dlcourse: the one table behind tests/test_floors.py and docs/floors.md.

``python tests/floors.py`` writes docs/floors.md.
"""

from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[1] / "docs/floors.md"

GROUPS = (
    "augment", "average", "clip", "data", "init", "loss", "metric", "model", "nonfinite",
    "observe", "optim",
    "regularizer", "sampler", "schedule", "split", "stop", "view",
)  # fmt: skip
"""The groups of choices: none imports another."""


class Floor(NamedTuple):
    """Packages of one floor, each of which may import those listed before it, and what they do."""

    packages: tuple[str, ...]
    what: str


FLOORS = (
    Floor(
        (
            "errors",
            "file_digest",
            "atomic_files",
            "random_streams",
            "permutations",
            "multilabel_division",
            "guard",
            "drawing",
            "terminal",
            "schema",
            "runs",
        ),
        "What every command needs before a run is known to be right: messages, options, folders.",
    ),
    Floor(
        ("core", "machine", "distributed", "runtime", "layer", "weights", "introspect", "tracking"),
        "The nouns of training, the device and its fast paths, several devices, the layers that "
        "models share, files of weights, measuring inside a network, and the processes of "
        "experiment trackers.",
    ),
    Floor(GROUPS, "The groups: each choice of the configs; a group imports no other group."),
    Floor(
        ("train",),
        "The loop: it is given a model, an optimizer and data, and imports no group.",
    ),
    Floor(("together",), "Several runs that share an architecture, trained as one."),
    Floor(("engine",), "From a config to objects, folds and a result."),
    Floor(
        ("baseline", "export", "look", "preview", "race", "report", "sweep", "timing"),
        "Methods without a network, models for use without dlcourse, what trained networks look "
        "like inside, what is seen before training, and many runs: their tables, plots and pages, "
        "how they are started, and how fast they train.",
    ),
    Floor(("cli", "api", "lecture", "commands", "__main__"), "What a user types or imports."),
)


def floor_of(package: str) -> int | None:
    """Return the number of a package's floor, or None for what is no package."""
    return next((n for n, floor in enumerate(FLOORS) if package in floor.packages), None)


def may_import(package: str, other: str) -> bool:
    """Return whether a package may import another: from below, or listed before it."""
    here, there = floor_of(package), floor_of(other)
    if package == other:
        return True
    if here is None or there is None or there > here:
        return False
    if there < here:
        return other not in GROUPS or package != "train"
    names = FLOORS[here].packages
    return names is not GROUPS and names.index(other) < names.index(package)


def page() -> str:
    """Return docs/floors.md."""
    rows = [
        f"| {number} | {', '.join(f'`{name}`' for name in floor.packages)} | {floor.what} |"
        for number, floor in reversed(list(enumerate(FLOORS)))
    ]
    return "\n".join(
        [
            "# Floors",
            "",
            "A package imports from the floors below its own and, on its floor, from those listed "
            "before it.",
            "`tests/floors.py` is the table, `tests/test_floors.py` tests it and "
            "`python tests/floors.py` writes this page.",
            "",
            "| floor | packages | what they do |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page())
