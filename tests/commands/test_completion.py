"""Completion with Tab: the candidates for a line, in Python and in a real bash."""

import subprocess
import sys

import pytest

from dlcourse.commands.completion import BASH, candidates


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("dlcourse ev", {"evaluate"}),
        ("dlcourse train model=resnet1", {"resnet18", "resnet110"}),
        ("dlcourse train optim=adam", {"adam", "adamax", "adamw"}),
        ("dlcourse sweep optim=sgd,adag", {"sgd,adagrad"}),
        ("dlcourse train augment=[crop,cutm", {"[crop,cutmix"}),
        ("dlcourse train 'augment=[crop,cutm", {"augment=[crop,cutmix"}),
        ("dlcourse train model.act", {"model.activation="}),
        ("dlcourse train model.activation=silu", {"silu"}),
        ("dlcourse train model=mlp model.wid", {"model.widths="}),
        ("dlcourse train model=lenet model.wid", set()),
        ("dlcourse train optim=momentum optim.mom", {"optim.momentum="}),
        ("dlcourse train max_e", {"max_epochs="}),
        ("dlcourse train max_epochs=", {"50"}),
        ("dlcourse train runtime.comp", {"runtime.compile="}),
        ("dlcourse sweep see", {"seed=", "seeds="}),
        ("dlcourse evaluate r", {"run="}),
        ("dlcourse export r1 op", {"opset="}),
        ("dlcourse export r1 format=o", {"onnx"}),
        ("dlcourse catalogue optim=sg", {"sgd"}),
        ("dlcourse train nothing_like_it", set()),
        ("dlcourse show what=k", {"kernels"}),
        ("dlcourse show what=init dep", {"depth="}),
        ("dlcourse show draw", {"draws="}),
        ("dlcourse find-lr lr_", {"lr_min=", "lr_max="}),
        ("dlcourse find-lr optim=sg", {"sgd"}),
        ("dlcourse baseline svm", {"svm.c=", "svm.gamma="}),
        ("dlcourse baseline data=mn", {"mnist"}),
        ("dlcourse baseline mo", set()),
    ],
)
def test_a_line_is_completed_with_the_options_that_match(line, offered):
    assert set(candidates(line)) == offered


@pytest.fixture
def own_configs(tmp_path):
    """Return a folder with a user's own model ``wide`` and its own ``lenet``."""
    folder = tmp_path / "my_configs"
    (folder / "model").mkdir(parents=True)
    text = "_target_: my_model.Wide\n_partial_: true\nunits: 64\nunequal: false\n"
    for name in ("wide", "lenet"):
        (folder / f"model/{name}.yaml").write_text(f"# A model of my own\n{text}")
    return folder


@pytest.mark.parametrize("flag", ["--config-dir ", "--config-dir=", "-cd ", "-cd="])
def test_a_users_own_choices_and_their_options_are_offered_after_config_dir(flag, own_configs):
    line = f"dlcourse train {flag}{own_configs}"
    assert candidates(f"{line} model=w") == ["wide"]
    assert candidates(f"{line} model=resnet1") == ["resnet18", "resnet110"]
    assert candidates(f"{line} model=wide model.un") == ["model.units=", "model.unequal="]
    assert candidates(f"{line} model=wide model.units=") == ["64"]
    assert candidates(f"{line} model=wide model.unequal=") == ["true", "false"]
    assert candidates(f"{line} model.un") == ["model.units=", "model.unequal="]  # its lenet
    assert candidates(f"dlcourse catalogue {flag}{own_configs} model=w") == ["wide"]
    assert candidates("dlcourse train model=w") == []


def test_after_config_dir_bash_completes_folders():
    assert candidates("dlcourse train --config-dir m") == []
    assert candidates("dlcourse train -cd ") == []


def complete_in_bash(folder, line: str) -> list[str]:
    """Return COMPREPLY of a real bash for a line at whose end Tab is pressed."""
    program = folder / "dlcourse"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dlcourse "$@"\n')
    program.chmod(0o755)
    code = (
        f"{BASH}\nCOMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}\n"
        f"_dlcourse {program} 2>/dev/null; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    ended = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=60)
    return ended.stdout.split()


def test_bash_offers_what_the_command_replies(tmp_path):
    assert complete_in_bash(tmp_path, "dlcourse train model=alex") == ["alexnet"]
    assert complete_in_bash(tmp_path, "dlcourse sh") == ["share", "show", "shapes"]


def test_bash_offers_a_users_own_choices(tmp_path, own_configs):
    line = f"dlcourse train --config-dir {own_configs} model=wi"
    assert complete_in_bash(tmp_path, line) == ["wide"]
