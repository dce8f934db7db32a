"""Check that a config read from a folder calls only trusted code.

A folder may come from anybody. A stored config may call what dlcourse's own configs call, and the
classes and functions of ``torch.optim``, ``torch.nn`` and ``torchvision.models``. Everything else
has to be typed again with the command that reads the folder: the name of a module as ``trust=``,
a folder of configs as ``--config-dir``, options of Hydra's launchers and the address of a database
as they are.
"""

import re
from collections.abc import Mapping
from typing import Any

from dlcourse.errors import UserError
from dlcourse.schema.bounds import bounds_of_argument
from dlcourse.schema.kinds import Code
from dlcourse.schema.overrides import nodes
from dlcourse.schema.packaged import own_targets

TRUSTED_LIBRARIES = re.compile(
    r"torch\.optim\.[a-zA-Z]\w*|torch\.nn\.((functional|init)\.)?[a-zA-Z]\w*"
    r"|torchvision\.models\.[a-zA-Z]\w*"
)


def check_trust(config: dict) -> None:
    """Raise UserError if a stored config calls code that is neither dlcourse's nor in ``trust``.

    config: a plain dict; its ``trust`` is what the user has typed now, never what was stored.
    """
    trusted = tuple(f"{name}." for name in config.get("trust") or ())
    for name in foreign(config):
        if not f"{name}.".startswith(trusted):
            raise UserError(
                f"The stored config calls {name}, which is neither part of dlcourse nor "
                "of a trusted library.\n"
                f"If you trust that code, type trust=[{name.split('.')[0]}]"
            )


def foreign(config: dict) -> list[str]:
    """Return the names that a config calls and that have to be trusted, each once."""
    called = [node for _, node in nodes(config) if "_target_" in node]
    names = dict.fromkeys(
        [
            *(str(node["_target_"]) for node in called),
            *(name for n in called for name in code_in(n)),
        ]
    )
    return [
        name
        for name in names
        if name not in own_targets() and not TRUSTED_LIBRARIES.fullmatch(name)
    ]


def code_in(node: Mapping[str, Any]) -> list[str]:
    """Return the code that the options of a choice name, such as ``data.function``."""
    target = str(node["_target_"])
    return [
        str(value)
        for key, value in node.items()
        if value is not None and isinstance(bounds_of_argument(target, key), Code)
    ]


def to_type(config: dict) -> str:
    """Return the override that a stored config needs, ``trust=[my_model]``; empty if none."""
    modules = dict.fromkeys(name.split(".")[0] for name in foreign(config))
    return f"trust=[{','.join(modules)}]" if modules else ""
