"""A run is composed once, and its functions get everything as arguments."""

import math

import pytest
import torch
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig

from dlcourse.engine.job import explaining, run_job
from dlcourse.errors import UserError
from dlcourse.runs import start_record
from dlcourse.runs.prepare import prepare_run
from dlcourse.schema.compose import compose_job

TINY = ["model=mlp", "data.examples=60", "max_epochs=1", "observe=[]", "runtime=cpu"]


@pytest.fixture
def compositions(monkeypatch):
    """Return a list that grows by one with every config that Hydra composes."""
    counted = []
    load = ConfigLoaderImpl.load_configuration

    def load_counted(*arguments, **options):
        counted.append(options)
        return load(*arguments, **options)

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", load_counted)
    return counted


def test_a_run_is_composed_once(here, compositions):
    assert here(*TINY).returncode == 0
    assert len(compositions) == 1


def test_the_count_includes_a_second_composition(here, compositions):
    assert here(*TINY).returncode == 0
    compose_job(TINY, None)
    assert len(compositions) == 2


def test_a_resumed_finished_run_is_composed_once(here, compositions):
    assert here(*TINY, "hydra.run.dir=run").returncode == 0
    compositions.clear()
    assert here("resume=run").returncode == 0
    assert len(compositions) == 1


def test_jobs_run_one_after_the_other_without_hydras_global(data_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    results = []
    for name in ("first", "second"):
        overrides = [*TINY, f"data.root={data_root}", f"hydra.run.dir={name}"]
        run = prepare_run(compose_job(overrides, None), overrides, None)
        results.append(run_job(**run.arguments()))
        assert start_record.stored_overrides(tmp_path / name) == overrides[:-1]
        assert start_record.stored_choices(tmp_path / name)["model"] == "mlp"
    assert HydraConfig.instance().cfg is None
    assert results[0]["best"] == results[1]["best"]
    assert math.isfinite(results[0]["best"])
    first, second = (
        torch.load(tmp_path / name / "checkpoints/best.pt") for name in ("first", "second")
    )
    assert all(torch.equal(first["model"][name], second["model"][name]) for name in first["model"])


def test_a_new_folder_is_removed_when_its_run_is_impossible(data_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folds = ["split=stratified_kfold", "split.folds=200"]  # more folds than a class has examples
    overrides = [*TINY, "data.examples=null", f"data.root={data_root}", *folds]
    run = prepare_run(compose_job(overrides, None), overrides, None)
    assert run.folder.exists()
    with pytest.raises(UserError, match="smallest class"):
        run_job(**run.arguments())
    assert not run.folder.exists()


def test_a_run_that_is_stopped_before_it_has_started_is_not_to_be_resumed(tmp_path, capsys):
    for stored, said in ((False, "type the command again"), (True, f"resume={tmp_path}")):
        if stored:
            (tmp_path / ".hydra").mkdir()
            (tmp_path / ".hydra/config.yaml").touch()
        with pytest.raises(KeyboardInterrupt), explaining({}, tmp_path):
            raise KeyboardInterrupt
        assert said in capsys.readouterr().err
