"""``dlcourse check-gradient``, and the page about own layers is right about it."""

import re

import pytest
from conftest import ROOT

from dlcourse.commands.check_gradient import main
from dlcourse.errors import UserError

PAGE = (ROOT / "docs/own_layer.md").read_text()
FAST = ["data.examples=100", "max_epochs=1", "runtime=cpu", "observe=[history]"]


@pytest.fixture
def check(monkeypatch, capsys):
    """Return a function from options to the exit status and what is printed."""

    def checked(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["dlcourse check-gradient"])
        try:
            main(list(arguments))
        except SystemExit as end:
            return end.code, capsys.readouterr().out
        return 0, capsys.readouterr().out

    return checked


def errors(text: str) -> list[float]:
    """Return the relative errors of a printed table."""
    return [float(line.split("│")[-2]) for line in text.splitlines() if line.startswith("│")]


@pytest.mark.parametrize("seed", ["seed=0", "seed=1"])
def test_the_backward_of_the_worked_example_passes(seed, check):
    status, text = check(seed)
    assert status == 0
    assert len(errors(text)) == 3
    assert max(errors(text)) < 1e-8


def test_a_wrong_factor_in_its_backward_is_found_in_every_argument(check):
    status, text = check("wrong=true")
    assert status == 1
    assert min(errors(text)) > 0.1
    assert "The backward is wrong" in text


def test_functions_of_torch_can_be_checked_and_a_nan_fails(check):
    assert check("function=torch.linalg.det", "shapes=4x4")[0] == 0
    status, text = check("function=torch.log", "shapes=4x4")
    assert status == 1
    assert "nan" in text


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("shapes=4x", "shapes=4x"),
        ("shapes=0x3", "shapes=0x3"),
        ("shapes=4x3,5x3", "missing 1 required positional argument"),
        ("shapes=4x3,5x2,5", "fails"),
        ("function=no_such.layer", "no_such"),
        ("function=torch", "function=torch"),
        ("seed=-1", "seed=-1"),
        ("wrong=maybe", "true or false"),
    ],
)
def test_a_wrong_option_gets_one_message(argument, named, check):
    with pytest.raises(UserError, match=re.escape(named)):
        check(argument)


def test_wrong_true_is_only_for_the_worked_example(check):
    with pytest.raises(UserError, match="own example"):
        check("wrong=true", "function=torch.cos", "shapes=3")


def test_the_files_and_commands_of_docs_own_layer_md_work(command, tmp_path, monkeypatch, check):
    blocks = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
    for text in (text for language, text in blocks if language):
        path = tmp_path / text.splitlines()[0].removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    commands = [text.split() for language, text in blocks if not language]
    assert [arguments[:2] for arguments in commands] == [
        ["dlcourse", name] for name in (*["check-gradient"] * 3, "shapes", "train")
    ]
    monkeypatch.syspath_prepend(tmp_path)
    assert [check(*arguments[2:])[0] for arguments in commands[:3]] == [0, 1, 0]
    scripts = {"shapes": "scripts/shapes.py", "train": "train.py"}
    for _, name, *arguments in commands[3:]:
        ended = command(*arguments, *FAST, script=scripts[name])
        assert ended.returncode == 0, ended.stderr


def test_the_page_names_the_error_of_a_forgotten_term(tmp_path, monkeypatch, check):
    code = next(text for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    (tmp_path / "my_slip.py").write_text(code.replace("(gradient - through_size)", "gradient"))
    monkeypatch.syspath_prepend(tmp_path)
    status, text = check("function=my_slip.rms_norm", "shapes=4x6")
    assert status == 1
    assert errors(text)[0] == pytest.approx(0.3, abs=0.05)
