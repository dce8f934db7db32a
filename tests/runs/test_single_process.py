"""A command that is started in several copies is refused once, by its first copy."""

import pytest

from dlcourse.errors import UserError
from dlcourse.runs.single_process import STARTERS, refuse_copies


@pytest.mark.parametrize("starter", STARTERS)
def test_the_first_copy_reports_the_error_and_the_others_end_silently(starter, capsys):
    size, rank = STARTERS[starter]
    with pytest.raises(UserError, match=rf"{starter} has started 2 copies.*\n.*without {starter}"):
        refuse_copies({size: "2", rank: "0"})
    with pytest.raises(SystemExit) as ended:
        refuse_copies({size: "2", rank: "1"})
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("environment", [
    {}, {"WORLD_SIZE": "1", "RANK": "0"}, {"WORLD_SIZE": "4"}, {"WORLD_SIZE": "", "RANK": ""},
    {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"},  # a batch script, which runs once
    {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},
], ids=str)  # fmt: skip
def test_a_single_copy_is_accepted(environment):
    assert refuse_copies(environment) is None


def test_the_command_line_refuses_copies(here, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    ended = here("data=digits", "check=true")
    assert ended.returncode == 2
    assert "torchrun has started 2 copies" in ended.stderr
