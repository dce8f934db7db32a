"""Keep passwords and values of environment variables out of a run's log."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dlcourse.schema.from_environment import storable
from dlcourse.schema.overrides import FROM_ENVIRONMENT, leaves
from dlcourse.schema.passwords import without_password

SHORTEST_SECRET = (
    6  # characters from which a value is replaced in a text: shorter ones are in many words
)


def secrets_of(config: dict) -> dict[str, str]:
    """Return the texts of a config that are not stored, each with what is stored in its place."""
    stored = dict(leaves(storable(config)))
    return {
        value: str(stored[key])
        for key, value in leaves(config)
        if FROM_ENVIRONMENT not in key and isinstance(value, str) and len(value) >= SHORTEST_SECRET
        and value != stored.get(key)
    }  # fmt: skip


def hiding(config: dict) -> Callable[[str], str]:
    """Return the function that replaces the secrets of a config in a text."""
    known = secrets_of(config)

    def hide(text: str) -> str:
        for value, shown in known.items():
            text = text.replace(value, shown)
        return without_password(text) if known else text

    return hide


@contextmanager
def hidden_in_logs(config: dict) -> Iterator[None]:
    """Replace the secrets of a config in all that is logged while the block runs."""
    if not secrets_of(config):
        yield
        return
    hide, formatter = hiding(config), logging.Formatter()

    def hidden(record: logging.LogRecord) -> bool:
        record.msg, record.args = hide(record.getMessage()), ()
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = hide(formatter.formatException(record.exc_info))
        return True

    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(hidden)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(hidden)
