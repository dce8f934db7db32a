"""All JSON is written by one function and is standard: no NaN, no Infinity."""

import ast
import json
import math
from pathlib import Path

from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import atomic_files
from dlcourse.runs import run_folder

SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")])
CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def writes_json(source: str) -> bool:
    return (
        any(
            isinstance(node, ast.Attribute | ast.Name | ast.alias)
            and (getattr(node, "attr", None) or getattr(node, "name", "")) in ("dump", "dumps")
            and "json" in ast.unparse(node)
            for node in ast.walk(ast.parse(source))
        )
        or "from json import" in source
    )


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def test_only_atomic_files_writes_json():
    messages = {"process.py", "worker.py"}  # of dlcourse.tracking: between processes, with NaN
    writers = [path.name for path in SOURCES if writes_json(path.read_text())]
    assert [name for name in writers if name not in messages] == ["atomic_files.py"]


def test_every_way_to_write_json_is_found():
    for source in ("import json\njson.dump(1, f)", "import json\nx = json.dumps(1)",
                   "from json import dumps"):  # fmt: skip
        assert writes_json(source)


@settings(max_examples=40)
@given(CONTENT)
def test_values_that_are_not_finite_become_null(content):
    def expected(part):
        if isinstance(part, float):
            return part if math.isfinite(part) else None
        if isinstance(part, dict):
            return {key: expected(value) for key, value in part.items()}
        return [expected(value) for value in part] if isinstance(part, list) else part

    assert json.loads(atomic_files.to_json(content), parse_constant=refuse) == expected(content)


def test_an_undefined_metric_is_null_in_the_file_and_nan_when_read(tmp_path):
    fold = {"name": "fold0", "best": 0.5, "best_epoch": 1, "epochs": 2,
            "val": {"loss": 0.5, "ap": math.nan}}  # fmt: skip
    result = {"monitor": "val/loss", "mode": "min", "best": math.nan, "seconds": 1.0,
              "test": {"ap": math.inf, "loss": 1.0}, "folds": [fold], "note": None}  # fmt: skip
    run_folder.write_result(Path(tmp_path), result)
    json.loads((tmp_path / "result.json").read_text(), parse_constant=refuse)
    read = run_folder.read_result(tmp_path)
    assert math.isnan(read["best"])
    assert math.isnan(read["test"]["ap"])
    assert math.isnan(read["folds"][0]["val"]["ap"])
    assert (read["test"]["loss"], read["note"]) == (1.0, None)
