"""Ways to train: ``Implementation(workload, options, overrides)`` with ``epoch(number)``.

``parameters`` is their number. ``epoch`` ends when its metrics have been read back; it may return
its own seconds where a library does more than an epoch in a call.
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
"""The module of each, and the overrides that it adds to those of the workload."""


class MissingError(Exception):
    """An implementation cannot run here; the text says what to type."""


def known() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the implementations whose config words there are in this version."""
    from dlcourse.schema.compose import options_of

    groups = {"runtime": options_of("runtime", None)}

    def there(word: str) -> bool:
        key, _, value = word.partition("=")
        return key not in groups or value in groups[key]

    return {name: made for name, made in IMPLEMENTATIONS.items() if all(map(there, made[1]))}


def make(name: str, workload: Workload, options: Options) -> object:
    """Make an implementation; raises MissingError where its library is not installed."""
    module, words = IMPLEMENTATIONS[name]
    return import_module(f"benchmarks.implementations.{module}").Implementation(
        workload, options, words
    )


def absent(library: str) -> MissingError:
    """Return what is said where a peer is not installed."""
    return MissingError(f"{library} is not installed; type pip install 'dlcourse[bench]'")
