"""What is read back from a folder is data: it never names code that then runs.

A folder may come from anybody. A stored config may call what dlcourse's own configs call, and the
classes and functions of ``torch.optim``, ``torch.nn`` and ``torchvision.models``. Everything else
has to be typed again with the command that reads the folder: the name of a module as ``trust=``,
a folder of configs as ``--config-dir``, options of Hydra's launchers and the address of a database
as they are.
"""

import re
from collections.abc import Iterator
from functools import cache

from dlcourse.errors import UserError
from dlcourse.schema.catalogue import CONFIGS

LIBRARIES = re.compile(
    r"torch\.optim\.[a-zA-Z]\w*|torch\.nn\.((functional|init)\.)?[a-zA-Z]\w*"
    r"|torchvision\.models\.[a-zA-Z]\w*"
)


@cache
def own_targets() -> frozenset[str]:
    """Return every ``_target_`` in the configs that dlcourse brings along."""
    line = re.compile(r"^\s*_target_: *([\w.]+)", re.MULTILINE)
    texts = (path.read_text(encoding="utf-8") for path in CONFIGS.glob("*/*.yaml"))
    return frozenset(target for text in texts for target in line.findall(text))


def check_trust(config: dict) -> None:
    """Raise UserError if a stored config calls what is neither dlcourse's own nor in ``trust``.

    config: plain; its ``trust`` is what the user has typed now, never what was stored.
    """
    trusted = tuple(f"{name}." for name in config.get("trust") or ())
    for name in foreign(config):
        if not f"{name}.".startswith(trusted):
            raise UserError(
                f"The stored config calls {name}, which no config of dlcourse calls.\n"
                f"If you know that code, type trust=[{name.split('.')[0]}]"
            )


def foreign(config: dict) -> list[str]:
    """Return the names that a config calls and that have to be trusted, each once."""
    names = dict.fromkeys(targets(config))
    return [name for name in names if name not in own_targets() and not LIBRARIES.fullmatch(name)]


def to_type(config: dict) -> str:
    """Return the override that lets a config be read back, ``trust=[my_model]``, or nothing."""
    modules = dict.fromkeys(name.split(".")[0] for name in foreign(config))
    return f"trust=[{','.join(modules)}]" if modules else ""


def targets(config: object) -> Iterator[str]:
    """Yield every name that a config calls, however deep it is nested."""
    if isinstance(config, dict):
        if "_target_" in config:
            yield str(config["_target_"])
        for value in config.values():
            yield from targets(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from targets(value)
