"""Mistakes in a user's YAML and Python get one message, with the file and the line."""

import re

import pytest

from dlcourse.engine.instantiate import build_all
from dlcourse.errors import UserError
from dlcourse.schema.compose import compose_job, without_hydra
from dlcourse.schema.kinds import Number
from dlcourse.schema.validate import check, values
from dlcourse.terminal import user_code

NET = """import os, torch
class Net(torch.nn.Module):
    def __init__(self, input_shape, output_size, units=1):
        super().__init__()
        {constructor}
        self.layer = torch.nn.Linear(784, {outputs})
    def forward(self, inputs):
        {forward}
        return self.layer(inputs.flatten(1))
"""
FAST = ["data.examples=60", "max_epochs=1", "observe=[history]"]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Return a function that writes a model's YAML and Python and returns the module's name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    number = iter(range(100))

    def write(text="_target_: {module}.Net\n", *, group="model", constructor="", forward="",
              outputs="output_size", code=NET):  # fmt: skip
        module = f"mine_{tmp_path.name[-8:].replace('-', '_')}_{next(number)}"
        (tmp_path / f"c/{group}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"c/{group}/own.yaml").write_text(text.replace("{module}", module))
        for name, value in {"constructor": constructor, "forward": forward}.items():
            code = code.replace(f"{{{name}}}", value or "pass")
        (tmp_path / f"{module}.py").write_text(code.replace("{outputs}", str(outputs)))
        return module

    return write


BROKEN = {
    "{[\n": r"own\.yaml, line 2, column 1: ",
    "a: b: c\n": r"own\.yaml, line 1, column 5: ",
    "\ta: 1\n": r"own\.yaml, line 1, column 1: .*spaces, not with tabs",
    "3\n": r"own\.yaml, line 1: it contains 3",
    "- a\n": r"own\.yaml, line 1: it contains \['a'\]",
    "units: 3\n": r"own\.yaml does not say what model calls",
    "_target_: 3\n": r"own\.yaml does not say what model calls",
    "": r"own\.yaml does not say what model calls",
}


@pytest.mark.parametrize(("text", "message"), BROKEN.items())
def test_broken_yaml_gets_one_message_with_its_position(text, message, mine, tmp_path):
    mine(text)
    with pytest.raises(UserError, match=re.compile(message, re.DOTALL)) as error:
        compose_job(["model=own"], str(tmp_path / "c"))
    assert len(str(error.value).splitlines()) == 2


def test_a_choice_of_a_group_with_several_choices_is_checked_too(mine, tmp_path):
    mine("_target_: own.change\n", group="augment")
    with pytest.raises(UserError, match=r"augment/own\.yaml does not say"):
        compose_job(["augment=[own]"], str(tmp_path / "c"))


WRONG = {
    "def Net(:\n": r"own code|error in .*\.py, line 1\.\n.*SyntaxError",
    "import no_such\n": r"error in .*\.py, line 1\.\n.*No module named 'no_such'",
    "x = 1 / 0\n": r"error in .*\.py, line 1\.\n.*ZeroDivisionError",
    "class net:\n    pass\n": r"has no Net; did you mean net\?",
    "class Net:\n    pass\n": r"Net in .*\.py: too many positional arguments.*\(input_shape, outp",
    "def Net(input_shape):\n    pass\n": r", line 1: too many positional arguments",
    "def Net(input_shape, output_size, *, width):\n    pass\n": r"missing.*'width'",
}


@pytest.mark.parametrize(("code", "message"), WRONG.items())
def test_wrong_code_gets_one_message_with_its_position_before_data_are_read(
    code, message, mine, tmp_path
):
    mine(code=code)
    config = without_hydra(compose_job(["model=own"], str(tmp_path / "c")))
    check(config)
    with pytest.raises(UserError, match=re.compile(message, re.DOTALL)):
        build_all(config)


@pytest.mark.parametrize("part", ["constructor", "forward"])
def test_the_traceback_of_an_error_in_user_code_starts_at_the_users_file(part, mine, here):
    module = mine(**{part: "raise ValueError('mine')"})
    ended = here("--config-dir", "c", "model=own", *FAST)
    assert ended.returncode == 1
    line = 5 if part == "constructor" else 8
    message = ended.stderr[ended.stderr.index("dlcourse: ") :]
    assert message.startswith(f"dlcourse: Your code has an error in {module}.py, line {line}.")
    assert message.rstrip().endswith("ValueError: mine")
    assert message.count("File ") == 1
    assert "Traceback" not in message


def test_a_model_with_the_wrong_number_of_outputs_is_named(mine, here):
    module = mine(outputs=3)
    ended = here("--config-dir", "c", "model=own", *FAST)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert f"{module}.Net" in ended.stderr
    assert "train.log" in ended.stderr


def test_a_model_that_is_not_a_module_is_refused(mine, here):
    mine(code="def Net(input_shape, output_size):\n    return 3\n")
    ended = here("--config-dir", "c", "model=own", *FAST)
    assert ended.returncode == 2
    assert "returns 3, and a model is a torch.nn.Module" in ended.stderr


def test_a_sweep_names_every_job_whose_model_cannot_be_built(mine, command):
    ends = "{2: lambda: 1 / 0, 3: lambda: os._exit(7), 4: lambda: exit('bye')}.get(units, int)()"
    mine("_target_: {module}.Net\nunits: 1\n", constructor=ends)
    ended = command("-m", "--config-dir", "c", "model=own", "model.units=1,2,3,4,5", *FAST)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    for text in ("ZeroDivisionError: division by zero\n  in model.units=2\n",
                 "ended with status 7\n  in model.units=3\n",
                 "SystemExit: bye\n  in model.units=4\n",
                 "3 of 5 points cannot be run; nothing was started"):  # fmt: skip
        assert text in ended.stderr


def test_files_of_dlcourse_and_of_libraries_are_not_user_code():
    import torch

    with pytest.raises(RuntimeError) as error:
        torch.zeros(2) @ torch.zeros(3)  # no frame is called by dlcourse
    assert user_code.user_code_message(error.value) == ""
    assert not user_code.is_own(user_code.__file__)
    assert not user_code.is_own(torch.__file__)
    assert not user_code.is_own("<string>")
    assert user_code.is_own(__file__)


@pytest.fixture(scope="module")
def config() -> dict:
    return without_hydra(compose_job(["model=mlp", "augment=[crop]"], None))


def test_a_mapping_is_refused_for_every_key_with_bounds(config):
    for key, value in values(config):
        if key == "trust" or isinstance(value, dict) or "._" in key:
            continue
        *path, last = key.split(".")
        wrong = plain_copy(config)
        node = wrong
        for part in path:
            node = node[part]
        node[last] = {"a": 1}
        with pytest.raises(UserError, match=re.escape(f"{key}={{'a': 1}} is not allowed")):
            check(wrong)


def plain_copy(config: dict) -> dict:
    return {key: plain_copy(value) if isinstance(value, dict) else value
            for key, value in config.items()}  # fmt: skip


def test_a_number_of_any_length_is_compared_with_its_bounds():
    assert not Number(0, 10, 1).allows(10**400)
    assert not Number(0, 10, 1, whole=True).allows(-(10**400))


def test_names_that_are_too_long_get_one_message(here):
    for override in (f"model={'m' * 5000}", f"hydra.run.dir={'m' * 300}"):
        ended = here(override)
        assert ended.returncode == 2
        assert "Traceback" not in ended.stderr
        assert len(ended.stderr) < 2500


def test_a_yaml_that_lacks_an_argument_of_dlcourses_class_is_refused(here, tmp_path):
    (tmp_path / "c/model").mkdir(parents=True)
    text = "# mine\n_target_: dlcourse.model.mlp.MLP\n_partial_: true\nwidths: [8]\n"
    (tmp_path / "c/model/mine.yaml").write_text(text)
    for flags in ([], ["-m", "seed=0,1"]):
        ended = here("--config-dir", "c", "model=mine", "data.examples=60", *flags)
        assert ended.returncode == 2
        assert "lacks its key" in ended.stderr
        assert "Traceback" not in ended.stderr
