"""The drill: killed and failed runs resume bitwise equal; a run that forgets does not."""

import re

import pytest


@pytest.fixture(scope="module")
def score(tmp_path_factory, data_root):
    """Return what a short drill has printed."""
    from conftest import command_in

    folder = tmp_path_factory.mktemp("drill")
    short = ["kills=4", "every=50", "sweep_kills=0", "rank_kills=0", f"folder={folder / 'runs'}"]
    ended = command_in(folder, data_root, *short, script="scripts/kill_drill.py")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_killed_runs_resume_bitwise_equal(score):
    assert "4 of 4 killed and resumed runs bitwise equal, 0 lost" in score


@pytest.mark.parametrize("lost", ["reseed", "random state"])
def test_a_run_that_forgets_its_random_numbers_differs(lost, score):
    found = re.search(f"control without {lost}: (.*) of (.*) differ, as they must", score)
    assert int(found[1]) == int(found[2]) > 0


@pytest.mark.parametrize("fault", ["deaths", "ENOSPC", "EIO"])
def test_runs_with_a_failed_file_operation_resume_bitwise_equal(fault, score):
    found = re.search(f"([0-9]+) of ([0-9]+) {fault}", score)
    assert int(found[1]) == int(found[2]) > 0
