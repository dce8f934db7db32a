"""Compose many configs that differ in a few values: each combination of choices once.

Hydra takes about 90 ms for a config. It first merges the YAML files of all choices, then sets one
override's value after the other. Points that differ only in values therefore share a template: the
config of the first of them, in a copy of which the other points' values are set. Where this is not
certain to give the same config, as for a value that is a dict or a reference, Hydra composes the
point in full.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlcourse.errors import UserError
from dlcourse.schema.compose import compose_job, recorded_overrides, without_hydra
from dlcourse.schema.hydra_api import overrides_dirname
from dlcourse.schema.overrides import FROM_ENVIRONMENT, key_of
from dlcourse.schema.validate import SWEEP_KEYS, TOP_LEVEL, check

KEY = re.compile(r"[a-zA-Z]\w*(\.[a-zA-Z]\w*)*")
CONSTANT = re.compile(r"\$\{oc\.env:[^${}]*\}")
RESOLVER = re.compile(r"\$\{\s*([\w.]+)\s*:")
KNOWN_RESOLVERS = (
    "oc.env",
    "oc.select",
    "oc.decode",
    "oc.create",
    "oc.dict.keys",
    "oc.dict.values",
)

Path = tuple[str, ...]
"""The parts of a dotted key, ``("optim", "lr")``."""


class Template:
    """A config that Hydra has composed, and the configs that differ from it only in values.

    cfg: as composed. config: the same as a plain dict, without Hydra's part. texts: the overrides
    that it was composed of.
    """

    def __init__(self, cfg: DictConfig, texts: Sequence[str]) -> None:
        self.cfg, self.texts = cfg, tuple(texts)
        self.config = without_hydra(cfg)
        self.checked = False

    @cached_property
    def references(self) -> list[Path] | None:
        """Where the config refers to other keys; None if the references need Hydra."""
        keys = [str(key) for key in self.cfg if key not in ("hydra", *SWEEP_KEYS)]
        raw: Any = OmegaConf.to_container(OmegaConf.masked_copy(self.cfg, keys), resolve=False)
        found = dict(references_in(raw))
        texts = [text for several in found.values() for text in several]
        names = {name for text in texts for name in RESOLVER.findall(text)}
        if any("hydra" in text for text in texts) or not names <= set(KNOWN_RESOLVERS):
            return None
        changing = (path for path, one in found.items() if not all(map(CONSTANT.fullmatch, one)))
        return list(changing)

    @cached_property
    def changing(self) -> DictConfig:
        """A copy of ``cfg`` in which values are set to resolve references."""
        return self.cfg.copy()

    def has(self, path: Path) -> bool:
        """Return whether a key is in the config, and its value is not that of another key."""
        node: Any = self.config
        if ".".join(path) in node.get(FROM_ENVIRONMENT, {}):
            return False
        for part in path:
            if not isinstance(node, dict) or part not in node:
                return False
            node = node[part]
        known = self.references or []
        return self.references is not None and all(path[: len(one)] != one for one in known)

    def config_with(self, values: Mapping[str, Any]) -> dict:
        """Return the config with other values, given by their dotted keys; parts are shared.

        Raises UserError, as ``without_hydra`` does.
        """
        paths = {tuple(key.split(".")): value for key, value in values.items()}
        if not all(map(self.has, paths)):
            return without_hydra(set_values(self.cfg.copy(), values))
        if self.references:
            resolved = resolved_at(set_values(self.changing, values), self.references)
            if resolved is None:
                return without_hydra(set_values(self.cfg.copy(), values))
            paths |= resolved
        return replaced(self.config, paths)

    def cfg_with(self, values: Mapping[str, Any], texts: Sequence[str], own: int) -> DictConfig:
        """Return the config with Hydra's part, with other values.

        texts: the overrides that Hydra records; the first ``own`` of them are those of the job's
        folder name in Hydra.
        """
        cfg = set_values(self.cfg.copy(), values)
        task = [text for text in texts if not parsed(text).is_hydra_override()]
        named = [one for one in map(parsed, texts[:own]) if not one.is_hydra_override()]
        cfg.hydra.job.override_dirname = overrides_dirname(cfg, named)
        cfg.hydra.overrides.task = task
        cfg.hydra.overrides.task = recorded_overrides(cfg)
        return cfg


class Composed(NamedTuple):
    """The config of one point: a template and the values that differ.

    texts: the overrides of the point, the fixed ones included.
    """

    template: Template
    values: dict[str, Any]
    texts: tuple[str, ...]

    def config(self, more: Mapping[str, Any] | None = None) -> dict:
        """Return the config as a plain dict without Hydra's part; more: values to change."""
        values = {**self.values, **(more or {})}
        return self.template.config_with(values) if values else self.template.config

    def check(self, config: dict) -> None:
        """Raise UserError if the config cannot be run.

        Once a config of the template has passed, only what depends on values is checked again.
        """
        if self.template.checked:
            check(config, self.values.keys())
        else:
            check(config)
            self.template.checked = self.template.references == []

    def cfg(self, more: Mapping[str, Any] | None = None) -> DictConfig:
        """Return the config with Hydra's part; more: values to change, recorded as overrides."""
        repeat = dict(more or {})
        texts = (*self.texts, *(f"{key}={value}" for key, value in repeat.items()))
        return self.template.cfg_with({**self.values, **repeat}, texts, len(self.texts))


class Composer:
    """Composes the points of a sweep, all of which share the fixed overrides."""

    def __init__(self, fixed: Sequence[str], config_dir: str | None) -> None:
        self.fixed, self.config_dir = tuple(fixed), config_dir
        self.templates: dict[tuple, Template | None] = {}
        self.errors: dict[tuple, UserError] = {}

    def compose(self, point: Sequence[str]) -> Composed:
        """Compose one point; raises UserError."""
        texts = (*self.fixed, *point)
        values = {text: found for text in point if (found := plain_value(text)) is not None}
        shape = tuple(
            (found.key, found.is_list) if (found := values.get(text)) else text for text in point
        )
        template = self.templates.get(shape)
        if template is None:
            template = self.compose_template(texts, shape)
            if shape not in self.templates:
                self.templates[shape] = template if fits(template, texts, values) else None
            return Composed(template, {}, texts)
        return Composed(template, {one.name: one.value for one in values.values()}, texts)

    def compose_template(self, texts: Sequence[str], shape: tuple) -> Template:
        """Compose a config in full; raises UserError.

        A key that does not exist is the same mistake in all points that have the same value of it.
        """
        for text in texts:
            if (shape, text) in self.errors:
                raise self.errors[shape, text]
        try:
            return Template(compose_job(list(texts), self.config_dir), texts)
        except UserError as error:
            unknown = re.search(r"Could not override '([^'@]+)'", str(error.__cause__))
            for text in texts:
                if unknown and key_of(text) == unknown[1]:
                    self.errors[shape, text] = error
            raise


class PlainValue(NamedTuple):
    """The value of an override that only sets a key.

    key: as typed, ``+model.speed``. name: without ``+``.
    """

    key: str
    name: str
    is_list: bool
    value: Any


def parsed(text: str) -> Override:
    """Return an override, parsed once; raises Hydra's exceptions."""
    if text not in PARSED:
        if len(PARSED) >= MOST_PARSED:
            PARSED.clear()
        PARSED[text] = OverridesParser.create().parse_override(text)
    return PARSED[text]


PARSED: dict[str, Override] = {}
MOST_PARSED = 300_000


def plain_value(text: str) -> PlainValue | None:
    """Return the value that an override sets; None for a choice, a dict, a reference and others."""
    key, _, written = text.partition("=")
    name = key.lstrip("+")
    if not KEY.fullmatch(name) or "$" in written or "?" in written:
        return None
    if name.split(".")[0] in ("hydra", *SWEEP_KEYS) or ("." not in name and name not in TOP_LEVEL):
        return None
    try:
        override = parsed(text)
        value = override.value()
    except (HydraException, ValueError):
        return None
    if override.is_sweep_override() or override.is_delete() or not is_plain(value):
        return None
    return PlainValue(key, name, isinstance(value, list), value)


def is_plain(value: Any) -> bool:
    """Return whether a value is a scalar, or a list of such values."""
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def fits(template: Template, texts: Sequence[str], values: Mapping[str, PlainValue]) -> bool:
    """Return whether other values can be set in a template.

    Each key must exist, and no other override may set it, a key above it or one inside it.
    values: of the overrides whose values vary, by the overrides.
    """
    choices = template.cfg.hydra.runtime.choices
    setting = [text for text in texts if key_of(text).partition("@")[0] not in choices]
    setting += [text for text in texts if "={" in text and text not in setting]
    keys = [key_of(text) for text in setting]
    for one in values.values():
        if one.name in choices or not template.has(tuple(one.name.split("."))):
            return False
        if sum(related(one.name, key) for key in keys) != 1:
            return False
    return True


def related(key: str, other: str) -> bool:
    """Return whether two dotted keys are equal, or one is inside the other."""
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")


def references_in(raw: Any, path: Path = ()) -> list[tuple[Path, list[str]]]:
    """Return the place and the texts of every reference; those inside a list count as the list."""
    if isinstance(raw, dict):
        return [one for key, value in raw.items() for one in references_in(value, (*path, key))]
    texts = [text for text in texts_in(raw) if "${" in text]
    return [(path, texts)] if texts else []


def texts_in(raw: Any) -> list[str]:
    """Return all texts in a value."""
    if isinstance(raw, dict):
        raw = list(raw.values())
    if isinstance(raw, list):
        return [text for value in raw for text in texts_in(value)]
    return [raw] if isinstance(raw, str) else []


def resolved_at(cfg: DictConfig, paths: Sequence[Path]) -> dict[Path, Any] | None:
    """Return the values of keys that refer to others; None if one cannot be resolved."""
    found: dict[Path, Any] = {}
    for path in paths:
        try:
            node: Any = cfg
            for part in path:
                node = node[part]
            plain = (
                OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
            )
        except OmegaConfBaseException:
            return None
        found[path] = plain
    return None if "${" in str(found) else found


def set_values(cfg: DictConfig, values: Mapping[str, Any]) -> DictConfig:
    """Set values in a config as Hydra sets those of overrides, and return it."""
    for key, value in values.items():
        OmegaConf.update(cfg, key, value)
    return cfg


def replaced(config: dict, values: Mapping[Path, Any]) -> dict:
    """Return a config with other values; the dicts without any of them are shared."""
    copies: dict[Path, dict] = {(): dict(config)}
    for path, value in values.items():
        for end in range(1, len(path)):
            inner, outer = path[:end], path[: end - 1]
            if inner not in copies:
                copies[inner] = dict(copies[outer][inner[-1]])
                copies[outer][inner[-1]] = copies[inner]
        copies[path[:-1]][path[-1]] = value
    return copies[()]
