"""Files that a stranger may have written are read within limits, and refused with one message."""

import json
import os
import time
import tracemalloc

import pytest
import yaml
from conftest import CONFIGS
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.errors import UserError
from dlcourse.runs.run_folder import read_json
from dlcourse.runs.start_record import stored_config, stored_overrides
from dlcourse.runs.yaml_blocks import load_yaml
from dlcourse.schema.compose import compose_job
from dlcourse.schema.untrusted import (
    DEEPEST,
    MOST_YAML,
    MOST_YAML_VALUES,
    count_values,
    json_of,
    load_json,
    read_text,
)
from dlcourse.sweep.manifest import read_manifest

LEVELS = 9
BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, LEVELS)
)
"""400 characters that stand for 2 x 10^8 values."""

TOO_LARGE = {
    "a bomb of references": BOMB,
    "a bomb of one long text": f"a: &a {'x' * 20_000}\nb: [{', '.join(['*a'] * 100)}]\n",
    "a reference to itself": "a: &a [*a]\n",
    "brackets": "a: " + "[" * 100_000,
    "closed brackets": "a: " + "[" * 500 + "]" * 500,
    "dashes": "- " * 100_000,
    "indentation": "".join(f"{' ' * level}a:\n" for level in range(1000)),
    "references in references": "".join(
        f"a{level}: &a{level} [{f'*a{level - 1}' if level else 'x'}]\n" for level in range(100)
    ),
    "ten million characters": "a: " + "x" * 10_000_000,
    "a number of 400 digits": f"seed: {'9' * 400}\n",
    "a number of 10,000 digits": f"seed: {'9' * 10_000}\n",
    "a number to the base 60": f"seed: 1{':1' * 100_000}\n",
    "a hexadecimal number": f"seed: 0x{'f' * 280}\n",
    "a date that does not exist": "a: 2001-99-99\n",
}


@pytest.mark.parametrize("text", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_yaml_file_beyond_the_limits_is_refused_at_once_and_without_memory(text, tmp_path):
    (tmp_path / ".hydra").mkdir()
    for name in ("config", "overrides"):
        (tmp_path / f".hydra/{name}.yaml").write_text(text)
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(UserError, match=r"config\.yaml cannot be read: .*"):
        stored_config(tmp_path)
    with pytest.raises(UserError, match=r"overrides\.yaml cannot be read: .*"):
        stored_overrides(tmp_path)
    used, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 2, "two files, a second each, in a process that traces its memory"
    assert peak < 40_000_000


def test_a_yaml_file_with_many_values_is_refused_within_a_second():
    started = time.process_time()
    with pytest.raises(ValueError, match="more than 100,000 values"):
        load_yaml(f"a: [{'1,' * 200_000}]")
    assert time.process_time() - started < 1


def test_without_the_limits_a_short_text_grows_by_a_million():
    fewer = "".join(BOMB.splitlines(keepends=True)[:5])
    assert len(str(yaml.safe_load(fewer))) > 100 * len(fewer)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 500 + "]" * 500,
        "9" * 400,
        f"[{'9' * 10_000}]",
        '{"a": ' * 40 + "1" + "}" * 40,
    ],
)
def test_json_beyond_the_limits_is_refused(text, tmp_path):
    with pytest.raises(ValueError, match=r"^it (is nested|has a number of) more than"):
        json_of(text)
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(UserError, match="cannot be read"):
        read_json(tmp_path / "result.json", "resume the run")
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(UserError, match="cannot be read"):
        read_manifest(tmp_path)


def test_what_is_within_the_limits_is_read_unchanged():
    deep: list | str = "x"
    for _ in range(DEEPEST):
        deep = [deep]
    assert load_yaml(yaml.safe_dump(deep)) == json_of(json.dumps(deep)) == deep
    long = {"class_weight": [0.5] * (MOST_YAML_VALUES - 10), "seed": 10**299}
    assert load_yaml(json.dumps(long)) == json_of(json.dumps(long)) == long
    assert load_yaml("a: &x {b: [1]}\nc: *x\n") == {"a": {"b": [1]}, "c": {"b": [1]}}
    for path in sorted(CONFIGS.rglob("*.yaml"))[::9]:
        assert load_yaml(read_text(path)) == yaml.safe_load(read_text(path))


VALUES = st.recursive(
    st.integers(0, 9) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
)


def number_of(content) -> int:
    """Return the number of values and keys in nested lists and mappings, written by hand."""
    if isinstance(content, dict):
        return 1 + sum(1 + number_of(value) for value in content.values())
    return 1 + sum(map(number_of, content)) if isinstance(content, list) else 1


@settings(max_examples=60)
@given(VALUES, st.integers(0, 4))
def test_values_behind_references_are_counted_as_often_as_they_are_referred_to(value, times):
    shared = [value]
    text = yaml.safe_dump({"first": shared, "others": [shared] * times})
    limit = number_of({"first": shared, "others": [shared] * times})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dlcourse.schema.untrusted.MOST_YAML_VALUES", limit)
        count_values(yaml.parse(text))
        patched.setattr("dlcourse.schema.untrusted.MOST_YAML_VALUES", limit - 1)
        with pytest.raises(ValueError, match="more than"):
            count_values(yaml.parse(text))


def test_a_pipe_and_a_long_file_are_refused_without_waiting(tmp_path):
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "result.json")
        with pytest.raises(ValueError, match="not a regular file"):
            load_json(tmp_path / "result.json")
    (tmp_path / "config.yaml").write_bytes(b"#" * (MOST_YAML + 1))
    with pytest.raises(ValueError, match="more than 1,000,000 bytes"):
        read_text(tmp_path / "config.yaml")


@pytest.mark.parametrize("name", ["a bomb of references", "brackets", "a number of 400 digits"])
def test_a_users_own_yaml_beyond_the_limits_is_named(name, tmp_path):
    file = tmp_path / "model/mine.yaml"
    file.parent.mkdir()
    file.write_text(f"_target_: my.Model\n{TOO_LARGE[name]}")
    with pytest.raises(UserError, match=r"model/mine\.yaml.*"):
        compose_job(["model=mine"], str(tmp_path))
