"""What a failed job means for the others."""

import re
from typing import NamedTuple

from dlcourse.errors import UserError


class OnError(NamedTuple):
    """What happens when a job fails: whether the sweep goes on, and how often the job may again."""

    continues: bool
    retries: int


def read_on_error(text: object) -> OnError:
    """Return the on_error of ``continue``, ``stop`` or ``retry:2``; raises UserError for others."""
    found = re.fullmatch(r"continue|stop|retry:([1-9]\d{0,2})", str(text))
    if not found:
        raise UserError(
            f"on_error={text} is not allowed: on_error takes continue, stop or retry:<times>.\n"
            "Type, for example, on_error=retry:2"
        )
    return OnError(continues=text != "stop", retries=int(found[1] or 0))
