"""Configs that were written before some keys existed."""

from copy import deepcopy

import pytest
import yaml
from conftest import CONFIGS, composed, options

from dlcourse.runs.migrate import EVERY, OF_A_CLASS, OF_A_GROUP, migrated, without_later_keys
from dlcourse.sweep.manifest import DEFAULTS_VERSION, Manifest, identity_of, read_manifest


def older(config: dict) -> dict:
    """Return a config as it was written before the later keys existed."""
    config = {key: value for key, value in config.items() if key not in EVERY}
    for group, keys in OF_A_GROUP.items():
        config[group] = {key: value for key, value in config[group].items() if key not in keys}
    return {key: without_later(value) for key, value in config.items()}


def without_later(node):
    if not isinstance(node, dict):
        return node
    later = OF_A_CLASS.get(node.get("_target_"), {})
    return {key: without_later(value) for key, value in node.items() if key not in later}


def nodes_of(path) -> list[dict]:
    """Return the nodes of a config file that name a class or a function."""
    found, left = [], [yaml.safe_load(path.read_text())]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            left += node.values()
            found += [node] if "_target_" in node else []
    return found


@pytest.mark.parametrize("optim", options("optim"))
def test_an_older_config_gets_todays_keys(optim, compose):
    overrides = [f"optim={optim}", "augment=[crop]", "random_streams=1"]
    overrides += ["runtime.linear=products", "runtime.fused_layers=false", "runtime.graph=false"]
    overrides += ["observe.tensorboard.embedding=0", "observe.tensorboard.pr_classes=0"]
    today = compose(*overrides)
    before = older(today)
    kept = deepcopy(before)
    assert before != today
    assert migrated(before) == today
    assert before == kept, "the config that came in was changed"
    assert migrated(today) == today


def test_every_key_that_is_added_is_in_todays_configs(compose):
    today = compose()
    assert set(EVERY) <= set(today)
    for group, keys in OF_A_GROUP.items():
        assert set(keys) <= set(today[group])
    nodes = [node for path in CONFIGS.glob("*/*.yaml") for node in nodes_of(path)]
    for name, keys in OF_A_CLASS.items():
        own = [node for node in nodes if node["_target_"] == name]
        assert own, f"{name} is in no config"
        assert all(set(keys) <= set(node) for node in own)


@pytest.mark.parametrize("runtime", ["cpu", "plain"])
def test_the_default_of_fast_paths_keeps_the_identity_of_an_older_sweep(compose, runtime):
    config = compose("model=mlp", f"runtime={runtime}")
    before = deepcopy(config)
    del before["runtime"]["fast_paths"]
    assert identity_of(config, ["seeds=2"]) == identity_of(before, ["seeds=2"])
    other = config | {"runtime": config["runtime"] | {"fast_paths": runtime == "plain"}}
    assert identity_of(other, ["seeds=2"]) != identity_of(before, ["seeds=2"])


def test_the_keys_of_later_versions_are_no_part_of_an_older_sweeps_identity():
    config = composed("runtime.fused_layers=false", "data=image_folder")
    before = without_later_keys(config)
    assert {"accumulate", "engine"}.isdisjoint(before)
    assert {"fused_layers", "devices", "batch_norm"}.isdisjoint(before["runtime"])
    assert {"decoder", "reduced_decode"}.isdisjoint(before["data"])
    assert without_later_keys(before) == before
    assert without_later_keys(composed())["runtime"]["fused_layers"] == "auto"
    assert without_later_keys(composed("accumulate=2"))["accumulate"] == 2


def test_an_older_sweep_keeps_the_defaults_that_it_was_started_with(tmp_path):
    manifest = Manifest(["runtime.compile=true"], None, "", "grid", [], "val/accuracy", "max", 1)
    manifest.write(tmp_path)
    stored = read_manifest(tmp_path)
    assert stored is not None
    assert stored.words == ["runtime.compile=true", "runtime.fused_layers=false"]
    manifest.defaults = DEFAULTS_VERSION
    manifest.write(tmp_path)
    today = read_manifest(tmp_path)
    assert today is not None
    assert today.words == ["runtime.compile=true"]
