"""Read the arguments of a command before Hydra does: flags in any place, overrides as key=value.

An argument with only one possible meaning is accepted or corrected in the message; every mistake
ends in one message with the command to type.
"""

import re
import shlex
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from dlcourse import __version__
from dlcourse.errors import UserError, meant, nearest
from dlcourse.schema.aliases import with_real_names
from dlcourse.schema.arguments import corrected
from dlcourse.schema.bounds import bounds_of
from dlcourse.schema.compose import NO_REFERENCE, options_of
from dlcourse.schema.hydra_api import refuse_long_range
from dlcourse.schema.kinds import Factors, Numbers, Tags, Text, Texts
from dlcourse.schema.overrides import LABELS, key_of, quoted, refuse_large
from dlcourse.schema.suggest import keys_meant
from dlcourse.schema.validate import GROUPS, MULTIPLE, SWEEP_KEYS, TOP_LEVEL, check_key
from dlcourse.terminal.command import MULTIRUN, current_command, own_name

SYNTAX = re.compile(r"[\[\]{}()'\"$,\\\n=]")  # characters that have a meaning in Hydra's grammar
HYDRA_ONLY = ("config_name", "config_path", "experimental_rerun")  # Hydra's flags, refused here
NEVER_SWEPT = (*SWEEP_KEYS, *LABELS, "observe", "resume", "trust")
WHOLE = ("run", "multirun", "cfg", "info", "shell_completion")  # flags of which one can be typed


def parse_command(args: Sequence[str]) -> tuple[Namespace, list[str]]:
    """Return the parsed flags and overrides of a command, and its arguments with the flags first.

    Raises UserError for an argument that is neither a flag nor an override.
    """
    parser = get_args_parser()
    parser.error = refuse_flag
    flags, overrides = separate_flags(args, parser)
    if "--version" in flags:
        print(f"dlcourse {__version__}")
        sys.exit(0)
    parsed = parser.parse_args(flags)
    for option in HYDRA_ONLY:
        if getattr(parsed, option, None) is not None:
            flag = "--" + option.replace("_", "-")
            raise UserError(f"{flag} is not for dlcourse.\nType --config-dir <your own configs>")
    given = [f"--{name.replace('_', '-')}" for name in WHOLE if getattr(parsed, name)]
    if len(given) > 1 and not parsed.multirun:
        raise UserError(f"{' and '.join(given)} exclude each other.\nType one of them")
    if (parsed.resolve or parsed.package) and not parsed.cfg:
        raise UserError("--resolve and --package belong to --cfg.\nType --cfg job --resolve")
    if not (parsed.help or parsed.hydra_help or parsed.shell_completion):
        parsed.overrides = in_grammar(overrides, parsed.config_dir)
        if not parsed.multirun:
            refuse_lists(parsed.overrides, flags)
    return parsed, [*flags, *parsed.overrides]


def separate_own(
    args: Sequence[str], own: Collection[str], help_of: str
) -> tuple[list[str], list[str]]:
    """Return the arguments whose keys are a command's own options, and those of the run.

    help_of: the arguments with which the command explains its options. Raises UserError for a key
    of neither that is similar to one of its own, and for a choice without its group.
    """
    refuse_bare_options(args)
    typed = [arg for arg in args if arg.partition("=")[0] in own]
    others = [arg for arg in args if arg not in typed]
    known = (*GROUPS, *TOP_LEVEL)
    for arg in others:
        key, equals, _ = arg.partition("=")
        if equals and "." not in key and key not in known and meant(key, own):
            raise UserError(
                f"{arg} is not understood; {nearest(key, own)}.\n"
                f"Type {own_name(help_of)} --help for what each one does"
            )
    return typed, others


def refuse_bare_options(args: Sequence[str]) -> None:
    """Raise UserError for options of groups that are typed without their group, ``adam``."""
    after = ["", *args]  # the argument before each one: a flag may take a value
    right = [
        arg if before.startswith("-") and "=" not in before else with_group(arg, None)
        for before, arg in zip(after, args, strict=False)
    ]
    if right != list(args):
        wrong = next(arg for arg in args if arg not in right)
        raise UserError(
            f"{wrong} is not understood: options are typed key=value.\nType {typed_again(right)}"
        )


def one_run(args: Sequence[str], purpose: str) -> tuple[list[str], str | None]:
    """Return the overrides of one run and the folder of ``--config-dir``; None without it.

    purpose: what the command is for, as a message names it. Raises UserError for any other flag.
    """
    parsed, right = parse_command(args)
    refuse_other_flags(right[: len(right) - len(parsed.overrides)], purpose)
    return parsed.overrides, parsed.config_dir


def grid_of_runs(args: Sequence[str], purpose: str) -> tuple[list[str], str | None]:
    """Return the same as ``one_run`` for overrides of which each may have several values."""
    refuse_other_flags(separate_flags(args, get_args_parser())[0], purpose)
    parsed, _ = parse_command(["-m", *args])
    return parsed.overrides, parsed.config_dir


def refuse_other_flags(flags: Sequence[str], purpose: str) -> None:
    """Raise UserError for a flag that is not ``--config-dir``."""
    for flag in flags:
        if flag.startswith("-") and flag.partition("=")[0] not in ("--config-dir", "-cd"):
            raise UserError(f"{flag} is not for {purpose}.\nType what one run takes, model=lenet")


def separate_flags(args: Sequence[str], parser: ArgumentParser) -> tuple[list[str], list[str]]:
    """Return Hydra's flags with their values, and the other arguments, each in their order."""
    known = {name: action for action in parser._actions for name in action.option_strings}
    flags, overrides = [], []
    rest = list(args)
    while rest:
        arg = rest.pop(0)
        name, equals, _ = arg.partition("=")
        if name not in known:
            overrides.append(arg)
            continue
        flags.append(arg)
        action = known[name]
        if equals or action.nargs == 0:
            continue
        if (action.nargs is None and rest) or (
            action.nargs == "?" and rest and rest[0] in (action.choices or ())
        ):
            flags.append(rest.pop(0))
    return [flag for flag in flags if flag != "--"], overrides


def refuse_flag(message: str) -> NoReturn:
    """Raise UserError with argparse's message about a flag."""
    raise UserError(f"{message}.\n{own_name()} --help and --hydra-help list what there is")


def in_grammar(overrides: list[str], config_dir: str | None) -> list[str]:
    """Return overrides in Hydra's grammar; raises UserError with what to type instead.

    Exact synonyms are replaced (``with_real_names``). A value with a character that Hydra's grammar
    does not know, ``data.root=~/bücher``, is quoted.
    """
    refuse_large(overrides)
    overrides = with_real_names(overrides, config_dir)
    right = [with_group(arg, config_dir) for arg in corrected(overrides, (*GROUPS, *TOP_LEVEL))]
    if right != overrides:
        wrong = next((one for one in overrides if one not in right), overrides[0])
        flags = ["--config-dir", config_dir] if config_dir else []
        raise UserError(
            f"{wrong} is not understood: options are typed key=value, without dashes or spaces.\n"
            f"Type {typed_again([*flags, *map(with_known_key, right)])}"
        )
    parser = OverridesParser.create()
    result = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if equals and not key:
            raise UserError(f"{override} has no key.\nType <key>{override}")
        if key == "note":
            override = quoted_note(value)
        try:
            parsed = parser.parse_override(override)
        except (HydraException, ValueError) as error:
            literal = f"{key}={quoted(value)}"
            if SYNTAX.search(value) or not equals or not can_parse(literal):
                why = syntax_remedy(override, error)
                raise UserError(f"{override} is not understood{why}") from error
            result.append(literal)
            continue
        refuse_override(parsed, config_dir)
        result.append(override)
    return result


def quoted_note(value: str) -> str:
    """Return the override of a note, quoted unless it is already: a note is text of any kind."""
    if value in ("", "null") or re.fullmatch(r"'.*'|\".*\"", value, re.DOTALL):
        return f"note={value or 'null'}"
    return f"note={quoted(value)}"


def values_of_labels(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the values of overrides of the labels; raises UserError for one out of bounds."""
    parser = OverridesParser.create()
    values: dict[str, Any] = {}
    for text in overrides:
        one = parser.parse_override(text)
        key, value = one.key_or_group, text.partition("=")[2]
        if key == "tags" and not value.startswith("["):  # tags=a,b
            one = parser.parse_override(f"tags=[{value}]")
        values[key] = one.value()
        check_key(key, values[key])
    return values


def plain_values(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the values of overrides by their keys; raises UserError for several values of one."""
    parser, values = OverridesParser.create(), {}
    for text in overrides:
        one = parser.parse_override(text)
        if one.is_sweep_override():
            raise UserError(f"{text} has several values, and this is one run.\nType one of them")
        if "${" in text:
            raise UserError(f"{text} refers to another key.\nType its value")
        values[one.key_or_group] = one.value()
    return values


def can_parse(override: str) -> bool:
    """Return whether Hydra's grammar can parse an override."""
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def with_group(arg: str, config_dir: str | None) -> str:
    """Add the group to a choice that was typed without it: ``lenet`` becomes ``model=lenet``.

    Any other argument is returned unchanged.
    """
    if "=" in arg or not re.fullmatch(r"\w[\w-]*", arg):
        return arg
    groups = [group for group in GROUPS if arg in options_of(group, config_dir)]
    if "model" in groups:
        return f"model={arg}"
    return f"{groups[0]}={arg}" if groups else arg


def syntax_remedy(override: str, error: Exception) -> str:
    """Return why an override is not understood, and what to type."""
    key, equals, value = override.partition("=")
    if override in GROUPS:
        names = nearest("", options_of(override, None))
        return f": it has no value; {names}.\nType {override}=<value>"
    if override in TOP_LEVEL:
        return f": it has no value.\nType {override}=<value>"
    if not equals:
        known = nearest(override, (*GROUPS, *TOP_LEVEL))
        return f": it is no key=value; {known}.\nType <key>=<value>"
    literal = f"{key}={quoted(value)}"
    as_text = f"type {in_shell(literal)}" if can_parse(literal) and "${" not in value else ""
    if as_text and takes_text(key):
        return f" without quotes.\nFor this text {as_text}"
    if "${" in value:
        return f": {NO_REFERENCE}"
    if "digits" in str(error):
        return ": the number is too long.\nType a shorter one"
    for opening, closing in ("[]", "{}", "()"):
        if value.count(opening) != value.count(closing):
            return (
                f": {opening} and {closing} do not match.\nType key=value, a list in "
                "quotes for the shell: 'augment=[crop,flip]'"
            )
    if as_text:
        return f" as a list or a mapping.\nFor a text {as_text}"
    return ".\nType key=value, with lists in quotes for the shell: 'augment=[crop,flip]'"


def takes_text(key: str) -> bool:
    """Return whether a key takes any text, such as the name of a folder."""
    return isinstance(bounds_of(key), Text) or key.startswith("hydra")


def in_shell(arg: str) -> str:
    """Quote an argument for a shell, in double quotes if it contains single ones."""
    return f'"{arg}"' if "'" in arg and not re.search(r'["$`\\!]', arg) else shlex.quote(arg)


def refuse_override(override: Override, config_dir: str | None) -> None:
    """Raise UserError for what Hydra allows and dlcourse does not: a deleted key or ``${...}``."""
    key, typed = override.key_or_group, override.input_line or ""
    refuse_long_range(override)
    if override.is_delete() and not key.startswith("hydra"):
        instead = f"'{key}=[]'" if key in MULTIPLE else f"{key}=<value>"
        raise UserError(
            f"{typed} takes a key out of the config, and every key is needed.\nType {instead}"
        )
    is_group = key in GROUPS or "/" in key
    if is_group and ("${" in typed or isinstance(override.value(), dict | bool | int | float)):
        raise UserError(
            f"{typed}: {key} takes the name of an option; "
            f"{nearest('', options_of(key, config_dir))}.\nType {key}=<one of them>"
        )


def refuse_lists(overrides: list[str], flags: list[str]) -> None:
    """Raise UserError for an override with several values, which needs ``-m``.

    flags: those of the command, for the message.
    """
    if any(key_of(override) == "hydra.mode" for override in overrides):
        return
    for override in OverridesParser.create().parse_overrides(overrides):
        if not override.is_sweep_override():
            continue
        key, typed = override.key_or_group, override.input_line or ""
        value = typed.partition("=")[2]
        kind = bounds_of(key)
        ways = []
        sweeps = current_command() != "rerun"
        if sweeps and key not in NEVER_SWEPT and not key.startswith("hydra"):
            ways.append(typed_again(["-m", *flags, *overrides]))
        if key in MULTIPLE or isinstance(kind, Numbers | Texts | Tags | Factors):
            ways.append(f"{in_shell(f'{key}=[{value}]')} for one list")
        elif takes_text(key):
            ways.append(f"{in_shell(f'{key}={quoted(value)}')} for one text")
        raise UserError(
            f"{typed} has several values, and this is one run"
            + ("; for a sweep type -m" if sweeps else "")
            + ".\nType "
            + ("\n  or ".join(ways) or f"{key}=<one value>")
        )


def typed_again(args: Sequence[str]) -> str:
    """Return the running command with these arguments, as a user types it into a shell."""
    command = current_command()
    if command == "train" and set(MULTIRUN) & set(args):
        command, args = "sweep", [arg for arg in args if arg not in MULTIRUN]
    return " ".join([own_name(command), *map(in_shell, args)])


def with_known_key(arg: str) -> str:
    """Replace an unknown key of an override by the one that it means: ``lr=1`` by ``optim.lr=1``.

    Any other argument, and a key with several possible meanings, is returned unchanged.
    """
    key, equals, value = arg.partition("=")
    if not equals or key in (*GROUPS, *TOP_LEVEL, *SWEEP_KEYS) or key_of(arg) != key:
        return arg
    close = keys_meant(key, (*GROUPS, *TOP_LEVEL)) if "." not in key else []
    if len(close) != 1:
        return arg
    return close[0] if "=" in close[0] else f"{close[0]}={value}"
