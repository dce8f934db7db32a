"""All cells of docs/notebook.ipynb run."""

import ast
import json
import multiprocessing
import sys

import pytest
from conftest import ROOT

import dlcourse

NOTEBOOK = json.loads((ROOT / "docs/notebook.ipynb").read_text(encoding="utf-8"))
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def run_cell(source, names):
    """Run a cell as Jupyter does; return the value of its last line if that is an expression."""
    *first, last = ast.parse(source).body
    if not isinstance(last, ast.Expr):
        first, last = [*first, last], None
    exec(compile(ast.Module(first, []), "<cell>", "exec"), names)
    return last and eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory, data_root):
    """Return the notebook's variables and the value that each cell displays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        patch.setenv("DLCOURSE_DATA", str(data_root))
        names, main = {}, sys.modules["__main__"]
        shown = [run_cell(source, names) for source in CODE]
        assert sys.modules["__main__"] is main
        yield names, shown


def test_all_cells_run_and_show_the_stored_results(notebook):
    names, shown = notebook
    assert names["same"].result == names["run"].result
    for cell, value in zip(
        (cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"), shown, strict=True
    ):
        stored = [kind for output in cell["outputs"] for kind in output.get("data", ())]
        html = getattr(value, "_repr_html_", lambda: None)()
        assert ("text/html" in stored) == (html is not None), cell["source"]
        assert ("image/png" in stored) == hasattr(value, "_repr_png_"), cell["source"]
    accuracy = names["run"].result["test"]["accuracy"]
    assert accuracy == pytest.approx(0.944, abs=0.02)
    assert f"{accuracy:.3f}"[:4] in json.dumps(NOTEBOOK)


def test_the_sweep_of_the_notebook_is_resumed_and_leaves_no_process(notebook):
    table = notebook[0]["table"]
    again = dlcourse.sweep(resume=table.folder.absolute(), quiet=True)
    assert [row["status"] for row in again.rows] == ["done", "done"]
    assert [row["val/accuracy"] for row in again.rows] == [
        row["val/accuracy"] for row in table.rows
    ]
    if "forkserver" in multiprocessing.get_all_start_methods():
        from multiprocessing.forkserver import _forkserver

        assert _forkserver._forkserver_pid is None
        assert _forkserver._preload_modules == ["__main__"]
