"""The note and the tags of a run: stored and shown, and part of nothing that identifies it."""

import json

import pytest
from conftest import TINY, composed

from dlcourse.commands import note
from dlcourse.engine.job import run_job
from dlcourse.errors import UserError
from dlcourse.observe.board_text import run_texts
from dlcourse.report.comparison.sides import read_side
from dlcourse.report.comparison.text import both_runs
from dlcourse.report.points import group_points
from dlcourse.report.runs import find_runs
from dlcourse.report.table_rows import column_names, ranking_rows, shared_labels
from dlcourse.runs import start_record
from dlcourse.runs.prepare import prepare_run
from dlcourse.schema.command_line import in_grammar
from dlcourse.schema.compose import compose_job
from dlcourse.sweep.manifest import identity_of

NOTE = "first try: it's [new], 50 %, dropout=0.5"


@pytest.fixture
def noted(tmp_path, data_root, capsys):
    """Return the folder of a finished run with a note and tags, and what it has printed."""
    typed = in_grammar([f"note={NOTE}", "tags=[baseline,2026]"], None)
    more = [*TINY, "model=linear", "observe=[console]", f"data.root={data_root}", *typed]
    run_job(composed(*more), tmp_path / "noted", more)
    return tmp_path / "noted", capsys.readouterr().out


def test_labels_are_stored_and_shown_everywhere(noted):
    folder, printed = noted
    for known in (start_record.stored_config(folder), json.loads(text_of(folder, "result.json"))):
        assert known["note"] == NOTE
        assert known["tags"] == ["baseline", 2026]
    assert f"note    {NOTE}\ntags    baseline, 2026\n" in printed
    side = read_side("A", folder)
    assert f"note: {NOTE}\n   tags: baseline, 2026" in both_runs(side, side)
    assert run_texts(folder)["run/0 note and tags"] == f"{NOTE}\n\nbaseline, 2026"


def text_of(folder, name):
    return (folder / name).read_text()


def test_labels_are_columns_where_points_differ_and_else_one_line(noted, data_root, tmp_path):
    folder, _ = noted
    more = [*TINY, "model=linear", "observe=[]", "optim.lr=0.1", f"data.root={data_root}"]
    run_job(composed(*more), tmp_path / "other", more)
    points = group_points(find_runs([folder, tmp_path / "other"]))
    names = column_names(points, [], [])
    rows = [
        dict(zip(names, row, strict=True))
        for row in ranking_rows(sorted(points, key=lambda point: point.runs[0].folder), [], [])
    ]
    assert [(row["tags"], row["note"]) for row in rows] == [("baseline, 2026", NOTE), ("", "")]
    alone = group_points(find_runs([folder]))
    assert "note" not in column_names(alone, [], [])
    assert shared_labels(alone) == f"tags: baseline, 2026; note: {NOTE}"


def test_labels_are_no_part_of_a_sweeps_identity():
    plain = composed("model=linear")
    noted = composed("model=linear", "note=other", "tags=[a]")
    assert identity_of(plain, ["seeds=2"]) == identity_of(noted, ["seeds=2"])
    other = composed("model=linear", "optim.lr=0.5")
    assert identity_of(plain, ["seeds=2"]) != identity_of(other, ["seeds=2"])  # the control


def test_a_run_can_be_resumed_with_another_note(noted, data_root):
    folder, _ = noted
    for labels, expected in (["note='second'"], "second"), (["note=null"], None):
        typed = [f"resume={folder}", f"data.root={data_root}", *labels]
        run = prepare_run(compose_job(typed, None), typed, None)
        assert run.finished
        assert start_record.stored_config(folder)["note"] == expected
        assert json.loads(text_of(folder, "result.json"))["note"] == expected
        kept = [text for text in start_record.stored_overrides(folder) if text.startswith("note")]
        assert kept == ([] if expected is None else ["note='second'"])


def test_the_command_changes_only_what_is_typed(noted, capsys):
    folder, _ = noted
    before = start_record.stored_config(folder)
    note.main([str(folder), "lr=0.1 is [too much"])
    note.main([str(folder), "tags=a,b-c"])
    after = start_record.stored_config(folder)
    assert after == before | {"note": "lr=0.1 is [too much", "tags": ["a", "b-c"]}
    assert "  note: lr=0.1 is [too much\n  tags: a, b-c" in capsys.readouterr().out
    note.main([str(folder), "note=", "tags="])
    assert start_record.stored_config(folder) == before | {"note": None, "tags": []}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "No folder is given"),
        (["no_such"], "There is no folder no_such"),
        (["{run}", "two", "words"], '"two words"'),
        (["{run}", "tags=[two words]"], "tags takes a list of at most 20 different tags"),
        (["{run}", "x" * 501], "note takes one line of text of at most 500 characters"),
    ],
)
def test_a_wrong_label_gets_one_message(arguments, message, noted):
    with pytest.raises(UserError) as caught:
        note.main([text.replace("{run}", str(noted[0])) for text in arguments])
    assert message in str(caught.value)
