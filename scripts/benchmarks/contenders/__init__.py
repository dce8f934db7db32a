"""Who trains: ``Contender(work, options, words)`` with ``parameters`` and ``epoch(number)``.

``epoch`` ends when its figures have been read back. It may return its own seconds where a library
does more than an epoch when it is asked for one.
"""

from importlib import import_module

from benchmarks.options import Options
from benchmarks.work import Work

BASE, HALF = "dlcourse", "dlcourse bf16"
CONTENDERS: dict[str, tuple[str, tuple[str, ...]]] = {
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
"""The module of each, and the words of ``train.py`` that ours is told besides the work's."""


class MissingError(Exception):
    """A contender cannot take part here; the text says what to type."""


def known() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the contenders whose config words there are in this version."""
    from dlcourse.schema.compose import options_of

    groups = {"runtime": options_of("runtime", None)}

    def there(word: str) -> bool:
        key, _, value = word.partition("=")
        return key not in groups or value in groups[key]

    return {name: made for name, made in CONTENDERS.items() if all(map(there, made[1]))}


def make(name: str, work: Work, options: Options) -> object:
    """Make a contender; raises MissingError where its library is not installed."""
    module, words = CONTENDERS[name]
    return import_module(f"benchmarks.contenders.{module}").Contender(work, options, words)


def absent(library: str) -> MissingError:
    """Return what is said where a peer is not installed."""
    return MissingError(f"{library} is not installed; type pip install 'dlcourse[bench]'")
