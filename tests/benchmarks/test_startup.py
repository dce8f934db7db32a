"""The first step needs no heavy import, and the script that measures this works."""

import importlib.util
import sys

import pytest
from conftest import ROOT

from dlcourse.engine.datasets import load_data

SPEC = importlib.util.spec_from_file_location("startup", ROOT / "benchmarks/startup.py")
script = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(script)


def test_the_first_step_is_taken_before_any_heavy_import(compose, data_root):
    load_data(compose("data=digits"))  # imports scikit-learn unless there is a cache
    found = script.watch([*script.RUN, f"data.root={data_root}"], to_the_end=False)
    assert found["heavy"] == []
    stages = list(script.STAGES)
    assert list(found["marks"]) == stages[: stages.index(script.STEP) + 1]
    times = list(found["marks"].values())
    assert times == sorted(times)
    assert times[0] > 0


def test_a_heavy_import_is_detected(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", sys)
    clock = script.Clock(0.0, to_the_end=True)
    batches = clock.watch("ab", 2)
    assert next(batches) == "a"
    assert script.STEP not in clock.marks
    assert next(batches) == "b"
    assert script.STEP in clock.marks
    assert "sympy" in clock.heavy
    with pytest.raises(SystemExit):
        list(script.Clock(0.0, to_the_end=False).watch("a", 1))


def test_the_table_has_the_duration_and_the_end_of_each_stage():
    def found(*ends):
        return {"marks": dict(zip(("Python", "torch", script.STEP), ends, strict=True))}

    marks = {
        "digits": script.middle_marks(
            [found(0.1, 1.1, 1.25), found(0.1, 1.0, 1.5), found(0, 3, 4)]
        ),
        "mnist": {"Python": 0.2},
    }
    assert marks["digits"] == {"Python": 0.1, "torch": 1.1, script.STEP: 1.5}
    lines = {line[:14].strip(): line[14:].split() for line in script.table_of(marks)}
    assert lines[""] == ["digits", "at", "mnist", "at"]
    assert lines["Python"][:4] == ["0.10", "0.10", "0.20", "0.20"]
    assert lines["torch"][:3] == ["1.00", "1.10", "is"]
    assert lines[script.STEP][:2] == ["0.40", "1.50"]


def test_packages_are_sorted_by_the_import_time_of_their_own_modules():
    output = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:     20000 |      50000 |   torch.nn\n"
        "import time:     10000 |      70000 | torch\n"
        "import time:     40000 |      40000 | numpy\nepoch 1/1\n"
    )
    first, second = (line.split() for line in script.slowest_packages(output))
    assert first == ["numpy", "0.04", "1", "modules"]
    assert second == ["torch", "0.03", "2", "modules"]


def test_a_goal_is_met_or_missed_and_a_command_that_fails_is_named():
    assert script.verdict("--help", 0.5, 0.5).endswith("0.50  goal 0.5: met")
    assert script.verdict("--help", 0.51, 0.5).endswith("MISSED")
    with pytest.raises(script.UserError, match="no_such"):
        script.carry_out(["no_such.py"])
    script.carry_out(["no_such.py"], status=2)
