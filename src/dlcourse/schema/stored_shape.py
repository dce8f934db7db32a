"""Check that content read from a file has the expected shape: types, keys, items."""

from typing import Any

STORED_NUMBERS_BELOW = 2**63  # of whole numbers in dlcourse's own files
WORDS: dict[Any, str] = {
    str: "a text", float: "a number", int: "a whole number", bool: "true or false", None: "null",
    dict: "a mapping", list: "a list",
}  # fmt: skip


def misfit(content: Any, shape: Any, key: str = "") -> str:
    """Return what does not fit a shape, ``best is 'x' and not a number``; "" if everything fits.

    shape: a type; a tuple of alternatives, with None for null; ``[shape]`` of all items of a list;
        ``{str: shape}`` of all values of a mapping; ``{"key": shape, "other?": shape}`` of a
        mapping's keys, of which those with a question mark may be missing. Further keys may have
        any value.
    key: of the content, for the message.
    """
    if isinstance(shape, dict):
        return misfit_of_mapping(content, shape, key)
    if isinstance(shape, list):
        return misfit_of_list(content, shape[0], key)
    alternatives = shape if isinstance(shape, tuple) else (shape,)
    plain = [one for one in alternatives if not isinstance(one, dict | list)]
    nested = [one for one in alternatives if isinstance(one, dict | list)]
    if any(is_one(content, one) for one in plain):
        return ""
    problems = [misfit(content, one, key) for one in nested]
    if "" in problems:
        return ""
    wanted = " or ".join(dict.fromkeys(WORDS[kind_of_shape(one)] for one in alternatives))
    deeper = [one for one in problems if one and not one.startswith(f"{key or 'it'} is ")]
    return deeper[0] if deeper else wrong(content, key, wanted)


def is_one(content: Any, kind: Any) -> bool:
    """Return whether a value is of a type; a truth value is no number, a whole number is one."""
    if kind is None:
        return content is None
    if kind in (int, float):
        numbers = int if kind is int else int | float
        whole = not isinstance(content, int) or abs(content) < STORED_NUMBERS_BELOW
        return isinstance(content, numbers) and not isinstance(content, bool) and whole
    return isinstance(content, kind)


def kind_of_shape(shape: Any) -> Any:
    """Return the type that a shape is of."""
    return type(shape) if isinstance(shape, dict | list) else shape


def misfit_of_mapping(content: Any, shape: dict, key: str) -> str:
    """Return what does not fit the shape of a mapping; "" if everything fits."""
    if not isinstance(content, dict):
        return wrong(content, key, WORDS[dict])
    others = [name for name in content if not isinstance(name, str)]
    if others:
        return f"the key {others[0]!r:.40}{f' in {key}' if key else ''} is not a text"
    start = f"{key}." if key else ""
    if str in shape:
        found = (misfit(value, shape[str], f"{start}{name}") for name, value in content.items())
        return next(filter(None, found), "")
    for name, inner in shape.items():
        known = name.removesuffix("?")
        if known not in content:
            if known == name:
                return f"{start}{known} is missing"
            continue
        problem = misfit(content[known], inner, f"{start}{known}")
        if problem:
            return problem
    return ""


def misfit_of_list(content: Any, item: Any, key: str) -> str:
    """Return what does not fit the shape of a list; "" if everything fits."""
    if not isinstance(content, list):
        return wrong(content, key, WORDS[list])
    found = (misfit(value, item, f"{key}[{place}]") for place, value in enumerate(content))
    return next(filter(None, found), "")


def wrong(content: Any, key: str, wanted: str) -> str:
    """Return the sentence about a value of another type."""
    return f"{key or 'it'} is {short_value(content)} and not {wanted}"


def short_value(content: Any) -> str:
    """Return a value as a short text; a list or a mapping by its type."""
    if isinstance(content, dict | list):
        return WORDS[type(content)]
    return "null" if content is None else ascii(content)[:40]
