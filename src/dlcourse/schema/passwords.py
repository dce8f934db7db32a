"""Take passwords and keys of access out of texts that are stored."""

import re
from typing import Any

MASK = "***"
SECRET_KEYS = frozenset(
    (
        "password", "passwd", "pwd", "secret", "secret_key", "api_key", "apikey", "access_key",
        "access_token", "auth_token", "token", "credentials",
    )
)  # fmt: skip
"""Last parts of keys whose text is a secret: ``my_data.api_key=...``."""

USER_OF_ADDRESS = re.compile(r"(://)([^\s/?#'\"]*)@|(://[^\s/:@'\"]*:)(?!\d+/)([^\s@'\"]*)@")
PARAMETER = re.compile(
    r"(?i)([?&;\s'\"\[](?:[\w-]*(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key"
    r"|signature|credential)[\w-]*|sig|auth|key)=)[^&;\s'\"\]},]+"
)
LONG = 16  # characters from which a name without a password is taken for a key of access


def without_password(text: str) -> str:
    """Return ``mysql://me:***@host/study`` for ``mysql://me:secret@host/study``.

    Parameters such as ``?token=...`` are masked as well.
    """
    if "=" not in text and "://" not in text:
        return text
    return PARAMETER.sub(rf"\1{MASK}", USER_OF_ADDRESS.sub(masked_user, text))


def masked_user(found: re.Match[str]) -> str:
    """Return the part of an address up to the ``@``, with the password masked."""
    if found[3] is not None:
        return f"{found[3]}{MASK}@"
    name, colon, _ = found[2].partition(":")
    if colon:
        return f"{found[1]}{name}:{MASK}@"
    return f"{found[1]}{MASK if len(name) >= LONG else name}@"


def concealed(key: str, value: Any) -> Any:
    """Return the value of a key as it is stored: without a password.

    A text with a reference to the environment, ``${oc.env:X}``, holds no password itself.
    """
    if isinstance(value, str):
        if is_secret_key(key) and value and not value.startswith("${"):
            return MASK
        return without_password(value)
    if isinstance(value, list):
        return [concealed(key, item) for item in value]
    if isinstance(value, dict):
        return {name: concealed(f"{key}.{name}", item) for name, item in value.items()}
    return value


def concealed_override(override: str) -> str:
    """Return an override as it is stored: without a password."""
    key, equals, value = override.partition("=")
    bare = value.strip("'\"")
    if equals and is_secret_key(key) and bare not in ("", "null") and not bare.startswith("${"):
        return f"{key}='{MASK}'"
    return without_password(override)


def is_secret_key(key: str) -> bool:
    """Return whether the text of a key is a secret: ``token``, not ``tokens``; any variable is."""
    return "job.env_set." in key or key.rpartition(".")[2].lower() in SECRET_KEYS


def is_masked(value: Any) -> bool:
    """Return whether a stored value lacks its password."""
    return isinstance(value, str) and MASK in value
