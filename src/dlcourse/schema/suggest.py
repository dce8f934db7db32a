"""Suggest the key or option that an unknown one may mean."""

from collections.abc import Callable, Iterable

from dlcourse.errors import MAX_SUGGESTIONS, bare, by_likeness, meant, nearest
from dlcourse.schema.synonyms import KEY_SYNONYMS, OPTION_SYNONYMS


def option_meant(group: str, option: str, known: Iterable[str]) -> list[str]:
    """Return the options of a group that may be meant, the likeliest first, at most three."""
    known = sorted(set(known))
    same = [other for other in known if bare(other) == bare(option)]
    other = OPTION_SYNONYMS.get(group, {}).get(bare(option))
    if same or other not in known:
        return same or meant(option, known)
    return [other]


def unknown_option(group: str, option: str, known: Iterable[str], several: bool) -> str:
    """Return the message for an unknown option of a group; several: the group takes a list."""
    close = option_meant(group, option, known)
    guess = close[0] if close else "<one of them>"
    typed = f"'{group}=[{guess}]'" if several else f"{group}={guess}"
    return f"{group}={option} is not there; {nearest(option, known, close)}.\nType {typed}"


def keys_meant(key: str, known: Iterable[str]) -> list[str]:
    """Return what an unknown key may mean, the likeliest first, at most three.

    Each is a key or, if the name implies a value, an override: ``cuda`` is
    ``runtime.device=cuda``.
    """
    known = sorted(set(known))
    group, _, last = key.rpartition(".")
    other = KEY_SYNONYMS.get(bare(key)) or KEY_SYNONYMS.get(bare(last))
    same = [name for name in known if bare(name) == bare(key)]
    ends = [name for name in known if bare(name.rpartition(".")[2]) == bare(last)]
    inside = [name for name in ends if group and name.startswith(f"{group}.")]
    if same or inside:
        return (same or inside)[:3]
    if other and (not group or not ends or other in ends):
        return [other]
    inside = [name for name in known if group and name.startswith(f"{group}.")]
    return ends[:3] or meant(
        key, inside or [name for name in known if bool(group) == ("." in name)]
    )


def unknown_key(
    key: str, value: str, known: Iterable[str], options_of: Callable[[str], list[str]], command: str
) -> str:
    """Return the message for an unknown key, with what to type instead.

    options_of: returns the choices of a group. command: the command as this user types it.
    """
    known = sorted(set(known))
    close = sorted(keys_meant(key, known), key=lambda name: value not in options_of(name))
    if close:
        first = close[0]
        value = "".join(option_meant(first, value, options_of(first))[:1]) or value or "<value>"
        whole = first if "=" in first else f"{first}={value}"
        guess = " or ".join(close)
        return f"{key} is not a key of this config; did you mean {guess}?\nType {whole}"
    inside = [name for name in known if name.startswith(f"{key.partition('.')[0]}.")]
    shown = by_likeness(key, inside or [name for name in known if "." not in name])[
        :MAX_SUGGESTIONS
    ]
    verb = "is" if len(shown) == 1 else "are"
    return (
        f"{key} is not a key of this config; the nearest {verb} {', '.join(shown)}.\n"
        f"{command} --help lists the groups; add --cfg job to see every key"
    )
