"""What a user has typed, read before Hydra reads it: flags anywhere, overrides as key=value.

What can only be meant in one way is understood; anything else gets one message with the command
as it should be typed.
"""

import re
import shlex
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from dlcourse import __version__
from dlcourse.errors import UserError, nearest
from dlcourse.schema.arguments import corrected
from dlcourse.schema.bounds import bounds_of
from dlcourse.schema.compose import options_of, quoted
from dlcourse.schema.kinds import Factors, Numbers, Text, Texts
from dlcourse.schema.overrides import key_of
from dlcourse.schema.suggest import keys_meant
from dlcourse.schema.validate import GROUPS, MULTIPLE, SWEEP_KEYS, TOP_LEVEL
from dlcourse.terminal.command import MULTIRUN, current_command, own_name

SYNTAX = re.compile(r"[\[\]{}()'\"$,\\\n=]")  # what Hydra's grammar gives a meaning in a value
HYDRA_ONLY = ("config_name", "config_path", "experimental_rerun")  # Hydra's, and not for dlcourse
WHOLE = ("run", "multirun", "cfg", "info", "shell_completion")  # each says what is to be done


def parse_command(words: Sequence[str]) -> tuple[Namespace, list[str]]:
    """Return the flags and overrides of a command, and its words with the flags in front.

    Raises UserError for what is neither a flag nor an override.
    """
    parser = get_args_parser()
    parser.error = refuse_flag
    flags, overrides = separate_flags(words, parser)
    if "--version" in flags:
        print(f"dlcourse {__version__}")
        sys.exit(0)
    args = parser.parse_args(flags)
    for option in HYDRA_ONLY:
        if getattr(args, option, None) is not None:
            flag = "--" + option.replace("_", "-")
            raise UserError(f"{flag} is not for dlcourse.\nType --config-dir <your own configs>")
    given = [f"--{name.replace('_', '-')}" for name in WHOLE if getattr(args, name)]
    if len(given) > 1 and not args.multirun:
        raise UserError(f"{' and '.join(given)} exclude each other.\nType one of them")
    if (args.resolve or args.package) and not args.cfg:
        raise UserError("--resolve and --package belong to --cfg.\nType --cfg job --resolve")
    if not (args.help or args.hydra_help or args.shell_completion):
        args.overrides = in_grammar(overrides, args.config_dir)
        if not args.multirun:
            refuse_lists(args.overrides, flags)
    return args, [*flags, *args.overrides]


def one_run(words: Sequence[str], purpose: str) -> tuple[list[str], str | None]:
    """Return the overrides of one run and the folder of ``--config-dir``, for a script.

    purpose: what the script does. Raises UserError for train.py's other flags.
    """
    args, right = parse_command(words)
    flags = right[: len(right) - len(args.overrides)]
    for flag in flags:
        if flag.startswith("-") and flag.partition("=")[0] not in ("--config-dir", "-cd"):
            raise UserError(f"{flag} is not for {purpose}.\nType what one run takes, model=lenet")
    return args.overrides, args.config_dir


def separate_flags(words: Sequence[str], parser: ArgumentParser) -> tuple[list[str], list[str]]:
    """Return Hydra's flags with their values, and the other words, each in their order."""
    known = {name: action for action in parser._actions for name in action.option_strings}
    flags, overrides = [], []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        if name not in known:
            overrides.append(word)
            continue
        flags.append(word)
        action = known[name]
        if equals or action.nargs == 0:
            continue
        if (action.nargs is None and rest) or (
            action.nargs == "?" and rest and rest[0] in (action.choices or ())
        ):
            flags.append(rest.pop(0))
    return [word for word in flags if word != "--"], overrides


def refuse_flag(message: str) -> NoReturn:
    """Raise UserError with what argparse has found wrong with a flag."""
    raise UserError(f"{message}.\n{own_name()} --help and --hydra-help list what there is")


def in_grammar(overrides: list[str], config_dir: str | None) -> list[str]:
    """Return overrides as Hydra's grammar has them; raises UserError with what to type instead.

    A value with a character that Hydra's grammar does not know, ``data.root=~/bücher``, is quoted.
    """
    right = [named(word, config_dir) for word in corrected(overrides, (*GROUPS, *TOP_LEVEL))]
    if right != overrides:
        wrong = next((word for word in overrides if word not in right), overrides[0])
        flags = ["--config-dir", config_dir] if config_dir else []
        raise UserError(
            f"{wrong} is not understood: options are typed key=value, without dashes or spaces.\n"
            f"Type {typed_again([*flags, *map(meaning, right)])}"
        )
    parser = OverridesParser.create()
    result = []
    for word in overrides:
        key, equals, value = word.partition("=")
        if equals and not key:
            raise UserError(f"{word} has no key.\nType <key>{word}")
        try:
            parsed = parser.parse_override(word)
        except (HydraException, ValueError) as error:
            literal = f"{key}={quoted(value)}"
            if SYNTAX.search(value) or not equals or not understood(literal):
                raise UserError(f"{word} is not understood{syntax_remedy(word, error)}") from error
            result.append(literal)
            continue
        refuse_override(parsed, config_dir)
        result.append(word)
    return result


def understood(word: str) -> bool:
    """Return whether Hydra's grammar has such an override."""
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return True


def named(word: str, config_dir: str | None) -> str:
    """Return an option that was typed without its group, ``lenet``, with it: ``model=lenet``."""
    if "=" in word or not re.fullmatch(r"\w[\w-]*", word):
        return word
    groups = [group for group in GROUPS if word in options_of(group, config_dir)]
    if "model" in groups:
        return f"model={word}"
    return f"{groups[0]}={word}" if groups else word


def syntax_remedy(word: str, error: Exception) -> str:
    """Return why an override is not understood, and what to type."""
    key, equals, value = word.partition("=")
    if not equals:
        known = nearest(word, (*GROUPS, *TOP_LEVEL))
        return f": it is no key=value; {known}.\nType <key>=<value>"
    literal = f"{key}={quoted(value)}"
    as_text = f"type {in_shell(literal)}" if understood(literal) and "${" not in value else ""
    if as_text and takes_text(key):
        return f" without quotes.\nFor this text {as_text}"
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


def in_shell(word: str) -> str:
    """Return a word as it is typed into a shell, in double quotes where it has single ones."""
    return f'"{word}"' if "'" in word and not re.search(r'["$`\\!]', word) else shlex.quote(word)


def refuse_override(word: Override, config_dir: str | None) -> None:
    """Raise UserError for what Hydra's grammar has and a config of dlcourse has no place for."""
    key, typed = word.key_or_group, word.input_line or ""
    if word.is_delete() and not key.startswith("hydra"):
        instead = f"'{key}=[]'" if key in MULTIPLE else f"{key}=<value>"
        raise UserError(
            f"{typed} takes a key out of the config, and every key is needed.\nType {instead}"
        )
    if "${" in typed and (key in GROUPS or "/" in key):
        raise UserError(
            f"{typed}: {key} takes the name of an option; "
            f"{nearest('', options_of(key, config_dir))}.\nType {key}=<one of them>"
        )


def refuse_lists(overrides: list[str], flags: list[str]) -> None:
    """Raise UserError for several values of a key where ``-m`` was not typed."""
    if any(key_of(word) == "hydra.mode" for word in overrides):
        return
    for word in OverridesParser.create().parse_overrides(overrides):
        if not word.is_sweep_override():
            continue
        key, typed = word.key_or_group, word.input_line or ""
        value = typed.partition("=")[2]
        kind = bounds_of(key)
        ways = []
        if key not in (*SWEEP_KEYS, "observe", "resume", "trust") and not key.startswith("hydra"):
            ways.append(typed_again(["-m", *flags, *overrides]))
        if key in MULTIPLE or isinstance(kind, Numbers | Texts | Factors):
            ways.append(f"{in_shell(f'{key}=[{value}]')} for one list")
        elif takes_text(key):
            ways.append(f"{in_shell(f'{key}={quoted(value)}')} for one text")
        raise UserError(
            f"{typed} has several values, and this is one run; for a sweep type -m.\nType "
            + ("\n  or ".join(ways) or f"{key}=<one value>")
        )


def typed_again(words: Sequence[str]) -> str:
    """Return a command with other words, as it is typed into a shell."""
    command = current_command()
    if command == "train" and set(MULTIRUN) & set(words):
        command, words = "sweep", [word for word in words if word not in MULTIRUN]
    return " ".join([own_name(command), *map(in_shell, words)])


def meaning(word: str) -> str:
    """Return an override whose key is another name of one here with the key it has here."""
    key, equals, value = word.partition("=")
    if not equals or key in (*GROUPS, *TOP_LEVEL, *SWEEP_KEYS) or key_of(word) != key:
        return word
    close = keys_meant(key, (*GROUPS, *TOP_LEVEL)) if "." not in key else []
    if len(close) != 1:
        return word
    return close[0] if "=" in close[0] else f"{close[0]}={value}"
