"""Store references to environment variables instead of their values, and read them again.

In a composed config every ``${oc.env:X}`` has been replaced by the variable's value, which may be a
password. The config keeps the references under ``FROM_ENVIRONMENT``; ``storable`` puts them back
before a config is written, and ``resolved`` reads the variables when a stored config is used.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlcourse.errors import UserError
from dlcourse.schema.overrides import FROM_ENVIRONMENT, is_free, leaves
from dlcourse.schema.passwords import concealed

PUBLIC = ("DLCOURSE_DATA",)
"""Variables that are stored with their values: dlcourse's own folder of data sets."""

INNERMOST = re.compile(r"\$\{([^${}]*)\}")
VARIABLE = r"oc\.env:\s*[A-Za-z_]\w*\s*(,[^${}]*)?"
STORED_REFERENCE = re.compile(rf"\$\{{{VARIABLE}\}}|\$\{{oc\.decode:\s*\$\{{{VARIABLE}\}}\s*\}}")
"""The references that a stored config may contain."""

NETWORK = ("huggingface", "timm")
"""Modules of choices that send the text of their options to a server."""
COST = {"n": 2**14, "r": 8, "p": 1}  # of scrypt: 50 ms for a guess


def sources_in(raw: dict[str, Any], config: dict[str, Any]) -> dict[str, str]:
    """Return the references of every key whose value comes from the environment.

    For example ``{"observe.mlflow.uri": "https://me:${oc.env:KEY}@host"}``. References from one key
    to another are followed.

    raw: a config with its references. config: the same with their values. Raises UserError for a
    value that another resolver makes of an environment variable, because it cannot be stored.
    """
    found = {}
    for key, text in leaves(raw):
        if "${" in str(text):
            found |= dict(expanded(key, text, raw))
    values = [
        value for key, value in leaves(config)
        if key in found and isinstance(value, str) and len(value) > 5
    ]  # fmt: skip
    for key, text in leaves(raw):
        if key not in found and "${" in str(text):
            made = str(dict(leaves(config)).get(key, ""))
            if any(value in made for value in values):
                raise not_storable(key, text)
    return found


def expanded(key: str, text: Any, raw: dict[str, Any], depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield a key and its text with references to the environment only; nothing if it has none."""
    if depth > 30:
        raise not_storable(key, text)
    if isinstance(text, list):
        places = [f"{key}.{number}" for number in range(len(text))]
        inner: dict[str, Any] = {}
        for place, item in zip(places, text, strict=True):
            inner |= dict(expanded(place, item, raw, depth + 1))
        if inner:
            yield key, [inner.get(at, item) for at, item in zip(places, text, strict=True)]
        return
    if not isinstance(text, str) or "${" not in text:
        return
    whole = INNERMOST.fullmatch(text)
    target = node_at(raw, absolute(whole[1], key)) if whole and ":" not in whole[1] else None
    if isinstance(target, dict):
        for name, value in leaves(target):
            yield from expanded(f"{key}.{name}", value, raw, depth + 1)
        return
    if isinstance(target, list):
        yield from expanded(key, target, raw, depth + 1)
        return
    parts: list[str] = []

    def put(found: re.Match[str]) -> str:
        body, here = found[1], found[0]
        if ":" not in body:
            value = node_at(raw, absolute(body, key))
            inner = dict(expanded(key, value, raw, depth + 1)) if isinstance(value, str) else {}
            here = str(inner.get(key, here))
        parts.append(here)
        return f"\0{len(parts) - 1}\0"

    while INNERMOST.search(text):
        text = INNERMOST.sub(put, text)
    while "\0" in text:
        text = re.sub(r"\0(\d+)\0", lambda one: parts[int(one[1])], text)
    if has_variable(text):
        if "${" in STORED_REFERENCE.sub("", text):
            raise not_storable(key, text)
        yield key, text


def has_variable(text: Any) -> bool:
    """Return whether a text refers to an environment variable that may hold a secret."""
    names = re.findall(r"oc\.env:\s*(\w+)", str(text))
    return any(name not in PUBLIC for name in names)


def absolute(reference: str, key: str) -> list[str]:
    """Return the parts of the key that a reference in another key names: ``..lr`` of ``a.b.c``."""
    name = reference.lstrip(".")
    up = len(reference) - len(name)
    return [
        *(key.split(".")[:-up] if up else []),
        *name.replace("[", ".").replace("]", "").split("."),
    ]


def node_at(raw: Any, parts: list[str]) -> Any:
    """Return a value of a nested config; None if there is none."""
    for part in parts:
        if isinstance(raw, list) and part.isdigit() and int(part) < len(raw):
            raw = raw[int(part)]
        elif isinstance(raw, dict):
            raw = raw.get(part)
        else:
            return None
    return raw


def not_storable(key: str, text: Any) -> UserError:
    """Return the error for a value from the environment that no reference can store."""
    return UserError(
        f"{key}={text} takes a value out of the environment in a way that cannot be stored with "
        "the run.\nType ${oc.env:NAME}, alone or inside a text, or ${oc.decode:${oc.env:NAME}} for "
        "a number"
    )


def storable(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config as it may be stored.

    Values from the environment are their references again, and passwords are masked. A config that
    has been stored is returned unchanged.
    """
    kept = {key: value for key, value in config.items() if key != FROM_ENVIRONMENT}
    for key, text in config.get(FROM_ENVIRONMENT, {}).items():
        kept = with_value(kept, key.split("."), text)
    return {key: concealed(str(key), value) for key, value in kept.items()}


def with_value(config: Any, parts: list[str], value: Any) -> Any:
    """Return a nested config with another value at a key that it has; unchanged without the key."""
    if not parts:
        return value
    if not isinstance(config, dict) or parts[0] not in config:
        return config
    return config | {parts[0]: with_value(config[parts[0]], parts[1:], value)}


def refuse_other_references(config: Mapping[str, Any], place: object) -> None:
    """Raise UserError if a stored config refers to anything but environment variables.

    A choice that sends its options to a server must not refer to any: a folder may come from
    anybody, and would choose the variable.
    """
    for key, value in leaves(dict(config)):
        if "${" not in str(value):
            continue
        if "${" in STORED_REFERENCE.sub("", str(value)) or key.rpartition(".")[2].startswith("_"):
            raise UserError(f"{place} is not a config that dlcourse has written")
        node = config.get(key.split(".")[0])
        target = str(node.get("_target_")).split(".") if isinstance(node, dict) else []
        if (
            target[:1] == ["dlcourse"]
            and not {*target[2:3]}.isdisjoint(NETWORK)
            and key != "data.root"
        ):
            raise UserError(
                f"{place} lets {key} read the environment ({value}) and would send it to a server, "
                "which a stored config must not.\nStart a new run with the value typed"
            )


def resolved(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a stored config with the values of the environment variables that it refers to.

    Raises UserError for a variable that is not set.
    """
    config, sources = stored, {}
    for key, text in leaves(stored):
        if "${" in str(text):
            refuse_missing_variable(key, str(text))
            try:
                value: Any = OmegaConf.to_container(OmegaConf.create({"value": text}), resolve=True)
            except OmegaConfBaseException as error:
                raise UserError(
                    f"The stored {key}={text} cannot be read: {str(error).splitlines()[0]}"
                ) from error
            config = with_value(config, key.split("."), value["value"])
            sources[key] = text
    return config | {FROM_ENVIRONMENT: sources} if sources else config


def refuse_missing_variable(key: str, text: str) -> None:
    """Raise UserError if a text refers to an environment variable that is not set."""
    for name, default in re.findall(r"oc\.env:\s*(\w+)\s*(,?)", text):
        if not default and name not in os.environ:
            free = f", or {key}=<its value>" if is_free(key) else ""
            raise UserError(
                f"The run was started with {key}={text}, and the environment variable {name} is "
                f"not set.\nType export {name}=<its value>{free}"
            )


def environment_digests(config: dict[str, Any], salt: str = "") -> dict[str, Any]:
    """Return digests of the values from the environment that change a run's result.

    They are slow to compute, so that a password cannot be guessed from them. salt: of an earlier
    call, for equal digests; empty for a new one.
    """
    sources, salt = config.get(FROM_ENVIRONMENT, {}), salt or secrets.token_hex(16)
    kept = {key: value for key, value in leaves(config) if key in sources and not is_free(key)}
    return {
        "salt": salt,
        "digests": {
            key: hashlib.scrypt(str(value).encode(), salt=bytes.fromhex(salt), **COST).hex()[:32]
            for key, value in kept.items()
        },
    }
