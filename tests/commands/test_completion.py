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
        ("dlcourse train optim=ad", {"adadelta", "adagrad", "adam", "adamw"}),
        ("dlcourse sweep optim=sgd,ad", {"sgd,adadelta", "sgd,adagrad", "sgd,adam", "sgd,adamw"}),
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
        ("dlcourse catalogue optim=sg", {"sgd"}),
        ("dlcourse train nothing_like_it", set()),
    ],
)
def test_a_line_is_completed_with_the_options_that_match(line, offered):
    assert set(candidates(line)) == offered


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
    assert complete_in_bash(tmp_path, "dlcourse sh") == ["show", "shapes"]
