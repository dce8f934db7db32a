"""A run is whole without its lists of overrides and choices; no closed file is to be deleted."""

import os

import pytest
from run_folders import held_out, write_run, write_sweep

from dlcourse.errors import UserError
from dlcourse.report.runs import find_runs
from dlcourse.runs import run_folder, start_record
from dlcourse.sweep.manifest import read_manifest


def test_lost_overrides_are_none_and_a_lost_hydra_file_names_no_choice(tmp_path):
    run = write_run(tmp_path / "run", "optim.lr=0.1", ending=held_out(0.9))
    for name in ("overrides", "hydra"):
        (run / f".hydra/{name}.yaml").unlink()
    assert start_record.stored_overrides(run) == []
    assert start_record.stored_choices(run) == {}
    (found,) = find_runs([run])
    assert found.result is not None


@pytest.mark.parametrize(
    ("read", "name"),
    [(run_folder.read_result, "result.json"), (read_manifest, "sweep.json")],
)
def test_nobody_is_told_to_delete_a_file_that_cannot_be_opened(tmp_path, read, name):
    sweep = write_sweep(tmp_path / "s", ["seed"], [])
    (sweep / name).unlink(missing_ok=True)
    os.symlink(name, sweep / name)  # a link to itself; root may open everything else
    with pytest.raises(UserError, match="it is a link that leads to itself") as caught:
        read(sweep)
    assert "Delete" not in str(caught.value)
