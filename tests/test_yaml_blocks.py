"""A YAML file read block by block has the content that PyYAML reads in it."""

import pytest
import yaml
from conftest import CONFIGS
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from dlcourse.runs import yaml_blocks
from dlcourse.runs.yaml_blocks import load_yaml

KEYS = st.text("ab_.-: 1#'é", min_size=1, max_size=6)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False),
    st.text("ab :#-'\"\n${}[]&*|>é\t", max_size=30),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)


@settings(max_examples=150, derandomize=True)
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_config_that_is_written_is_read_as_it_was(config):
    nested = {"hydra": config, "long": "a" * 300}
    for content in (config, nested):
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        assert load_yaml(text) == yaml.safe_load(text)
        assert load_yaml(text) == yaml.safe_load(text), "the second time, from the blocks"


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "- 1\n- 2\n", "a: 1\na: 2\n", "a: \"x\nb: y\"\n", "a:\n  text\n",
        "a: |\n  b: 1\n\n  c\n", "a: &x [1]\nb: *x\n", "# only a comment\n", "a: 1\n'b': 2\n",
        "---\na: 1\n", "a:\n- 1\n- b: 2\nc: 3\n",
        "a:\n  b: " + "x " * 200 + "\n  c:\n    d: |2\n        e\n      f\n",
    ],
)  # fmt: skip
def test_what_no_program_writes_is_read_as_well(text):
    assert load_yaml(text) == yaml.safe_load(text)


def test_the_repositorys_own_files_are_read_the_same():
    for path in sorted(CONFIGS.rglob("*.yaml"))[::7]:
        text = path.read_text(encoding="utf-8")
        assert load_yaml(text) == yaml.load(text, Loader=yaml_blocks.LOADER)


def test_what_is_read_can_be_changed_and_only_changed_blocks_are_parsed(monkeypatch):
    def text_of(rate: float) -> str:
        model = {f"option_{number}": number for number in range(40)}
        return OmegaConf.to_yaml({"optim": {"lr": rate}, "model": model})

    first = load_yaml(text_of(0.1))
    first["model"]["option_3"] = "changed"
    parsed, load = [], yaml.load
    monkeypatch.setattr(
        yaml, "load", lambda text, Loader: parsed.append(text) or load(text, Loader)
    )
    second = load_yaml(text_of(0.2))
    assert second["model"]["option_3"] == 3
    assert second["optim"]["lr"] == 0.2
    assert len(parsed) == 1
    assert len(parsed[0]) < 30
