"""Names and folders that are typed without their key, misspelt, or not at all."""

import pytest

from dlcourse.commands import collect, compare, find_lr, look, report, show
from dlcourse.errors import UserError
from dlcourse.look.registry import WHATS
from dlcourse.preview.kinds import KINDS
from dlcourse.schema.typed_alone import with_run


@pytest.fixture(autouse=True)
def in_a_folder_with_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("r1", "r2"):
        (tmp_path / name).mkdir()


def message_of(command, *args):
    with pytest.raises(UserError) as caught:
        command.main(list(args))
    return str(caught.value)


@pytest.mark.parametrize(
    ("command", "typed", "right"),
    [
        (look, "r1 filters", "r1 what=filters"),
        (look, "filters r1", "r1 what=filters"),
        (look, "r1 filters,mapss", "r1 what=filters,maps"),
        (look, "r1 filters maps", "r1 what=filters,maps"),
        (look, "r1 what=filters maps most=3", "r1 most=3 what=filters,maps"),
        (look, "r9 filters", "r9 what=filters"),
        (show, "data", "what=data"),
        (show, "schedul optim.lr=1", "optim.lr=1 what=schedule"),
        (show, "waht=init", "what=init"),
        (show, "wath=schedule", "what=schedule"),
        (show, "what=init he_normal examples=64", "what=init init=he_normal examples=64"),
        (show, "what=init what=schedule", "what=init"),
        (show, "what=schedule scale", "scale=<value>"),
        (show, "what=schedule optim", "optim=<value>"),
        (show, "what=schedule seed", "seed=<value>"),
        (find_lr, "lenet steps=50", "model=lenet steps=50"),
        (look, "r1 what=filters layer", "layer=<value>"),
    ],
)
def test_a_name_without_its_key_is_answered_with_the_right_command(command, typed, right):
    message = message_of(command, *typed.split())
    assert message.splitlines()[-1].endswith(f" {right}")
    assert len(message.splitlines()) == 2


def test_a_missing_what_lists_each_one_with_its_line():
    message = message_of(look, "r1")
    assert message == message_of(look, "r1", "what")
    assert message.startswith("what= is missing. Allowed:\n")
    for name, what in WHATS.items():
        assert any(f"what={name} " in line and what.line in line for line in message.splitlines())
    assert message.endswith(" r1 what=filters")


@pytest.mark.parametrize(("command", "known"), [(look, WHATS), (show, KINDS)])
def test_an_unknown_what_gets_one_question_mark_and_the_list(command, known):
    name, run = next(iter(known)), ["r1"] if command is look else []
    first, *lines = message_of(command, *run, f"what={name}x").splitlines()
    assert first == f"what={name}x is not there; did you mean {name}? Allowed:"
    assert len(lines) == len(known) + 1
    assert message_of(command, *run, "what=qqqqq").startswith("what=qqqqq is not there. Allowed:\n")


@pytest.mark.parametrize("command", [collect, compare, report])
def test_a_missing_folder_gets_two_lines(command, tmp_path):
    one = ["r2"] if command is compare else []
    if command is not compare:
        assert message_of(command).startswith("No folder is given.\nType ")
    message = message_of(command, *one, "rr1")
    assert message.startswith("There is no folder rr1.\nType ")
    assert message.endswith(" r1")
    (tmp_path / "file").write_text("")
    assert message_of(command, "r1", "file").startswith("file is a file.\nType ")


@pytest.mark.parametrize("command", [collect, report])
def test_folders_without_a_finished_run_say_its_state_and_how_to_resume_it(command, tmp_path):
    assert message_of(command, "r1").startswith("There is no run in r1.\nType ")
    for name in ("r1", "r2"):
        (tmp_path / name / ".hydra").mkdir()
        (tmp_path / name / ".hydra/config.yaml").write_text("seed: 0\n")
    assert message_of(command, "r1").startswith("The run r1 is not finished: it has no result.\n")
    assert message_of(command, "r1").endswith(" resume=r1 to resume it")
    lines = message_of(command, "r1", "r2").splitlines()
    assert lines[:3] == [
        "None of the 2 runs in r1, r2 is finished.",
        "not finished: r1",
        "not finished: r2",
    ]


def test_the_folder_of_a_run_is_found_among_the_arguments(tmp_path):
    (tmp_path / "optim.lr=1").mkdir()
    assert with_run(["optim.lr=1", "class=3"]) == ["run=optim.lr=1", "class=3"]
    assert with_run(["class=3", "r1"]) == ["class=3", "run=r1"]
    assert with_run(["maps", "r9"], ["maps"]) == ["maps", "run=r9"]
    assert with_run(["run=r1", "r2"]) == ["run=r1", "r2"]
