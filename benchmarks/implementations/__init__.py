"""Training loops: ``Implementation(workload, options, overrides)`` with a method ``epoch(number)``.

``parameters`` is the number of parameters. ``epoch`` returns when its metrics have been read back.
It may return the seconds of the epoch itself, where a library does more in a call than one epoch.
"""

from importlib import import_module

from benchmarks.options import Options
from benchmarks.workloads import Workload

BASE, HALF = "dlcourse", "dlcourse bf16"
IMPLEMENTATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    BASE: ("dlcourse", ()),
    "dlcourse plain": ("dlcourse", ("runtime=plain",)),
    HALF: ("dlcourse", ("runtime.precision=bf16",)),
    "dlcourse compiled": ("dlcourse", ("runtime.compile=true",)),
    "dlcourse bf16 compiled": ("dlcourse", ("runtime.precision=bf16", "runtime.compile=true")),
    "obvious tensor loop": ("obvious", ()),
    "tutorial loop": ("tutorial", ()),
    "Lightning": ("with_lightning", ()),
    "Keras": ("with_keras", ()),
}
"""The module of each implementation, and the overrides that it adds to those of the workload."""


class MissingError(Exception):
    """An implementation cannot run here; the message says what to type."""


def known() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the implementations whose overrides this version of dlcourse has."""
    from dlcourse.schema.compose import options_of

    groups = {"runtime": options_of("runtime", None)}

    def exists(override: str) -> bool:
        key, _, value = override.partition("=")
        return key not in groups or value in groups[key]

    return {name: made for name, made in IMPLEMENTATIONS.items() if all(map(exists, made[1]))}


def make(name: str, workload: Workload, options: Options) -> object:
    """Make an implementation; raises MissingError if its library is not installed."""
    module, overrides = IMPLEMENTATIONS[name]
    return import_module(f"benchmarks.implementations.{module}").Implementation(
        workload, options, overrides
    )


def absent(library: str) -> MissingError:
    """Return the error for a library that is not installed."""
    return MissingError(f"{library} is not installed; type pip install 'dlcourse[bench]'")
