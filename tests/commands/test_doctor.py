"""``dlcourse doctor``: measures a command, tries changes to it, writes nothing."""

import sys

import pytest
from same_process import SameProcess

from dlcourse.commands import doctor
from dlcourse.commands.main import run_command
from dlcourse.timing.interleave import AROUND, STEP_PHASES

PHASES = dict.fromkeys((*STEP_PHASES, *AROUND), 0.0) | {"forward": 6.0, "backward": 4.0}
FACTS = {"streamed": False, "examples": 1000, "cpu": True, "threads": 1, "images": True}


@pytest.fixture
def examine(tmp_path, data_root, monkeypatch, capsys):
    """Return a function that runs the doctor in this process and returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "Worker", SameProcess)
    monkeypatch.setattr(doctor, "SECONDS", 0.01)
    monkeypatch.setattr(doctor, "cores", lambda: 1)
    monkeypatch.setenv("CXX", "/no/such/compiler")  # compiling takes 10 seconds

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["dlcourse doctor", f"data.root={data_root}", *arguments])
        run_command("doctor")
        assert not list(tmp_path.iterdir())
        return capsys.readouterr().out

    return run


def test_it_measures_a_command_and_tries_the_changes_that_apply(examine):
    output = examine("model=mlp", "batch_size=32", "augment=[crop]", "augment.crop.padding=2",
                   "max_epochs=3", "schedule=cosine")  # fmt: skip
    assert "parameters, batch 32, cpu" in output
    assert "ms a step" in output
    assert "forward" in output
    for change in ("runtime.precision=bf16", "batch_size=128", "batch_size=8", "without augment"):
        assert change in output
    assert output.count("not possible") == 1
    assert "runtime.compile=true: not possible, runtime.compile=true needs a C++ compiler" in output
    assert "optim.fused" not in output
    assert "What to change:" in output


def test_no_other_batch_size_is_tried_for_a_full_batch_optimizer(examine):
    output = examine("model=mlp", "optim=lbfgs", "batch_size=full")
    assert "batch_size=" not in output


@pytest.mark.parametrize(
    ("arguments", "change", "expected"),
    [
        (["a=1", "batch_size=4"], doctor.Change("", ("batch_size=16",)), ["a=1", "batch_size=16"]),
        (
            ["augment=[crop]", "augment.crop.padding=2", "model=mlp"],
            doctor.Change("", ("augment=[]",), drop=("augment",)),
            ["model=mlp", "augment=[]"],
        ),
    ],
)
def test_a_change_replaces_the_overrides_of_its_keys(arguments, change, expected):
    assert doctor.with_change(arguments, change) == expected


def test_advice_names_only_gains_that_are_certain_and_large():
    faster = doctor.Change("", ("runtime.precision=bf16",), "weights stay fp32")
    unsure = doctor.Change("", ("runtime.threads=2",), "the same")
    cost = doctor.Change("without augmentation", ("augment=[]",))
    gains = {faster: [1.5, 1.6, 1.7], unsure: [0.8, 1.2, 1.3], cost: [2.0, 2.0, 2.0]}
    (line,) = doctor.advice(gains, PHASES, FACTS)
    assert line.startswith("runtime.precision=bf16: 1.60 times")


@pytest.mark.parametrize(
    ("phase", "named"), [("validation", "split.fraction"), ("observers", "observe=[history]")]
)
def test_advice_names_the_option_of_a_phase_that_takes_much_of_an_epoch(phase, named):
    (line,) = doctor.advice({}, PHASES | {phase: 5.0}, FACTS)
    assert line.startswith(named)


def test_a_faster_decoder_is_tried_for_streamed_images_alone(compose):
    for streamed in (False, True):
        facts = FACTS | {"streamed": streamed}
        config = compose("data=image_folder", "data.root=images")
        found = [change.overrides for change in doctor.changes(config, facts)]
        assert (("data.decoder=torchvision",) in found) is streamed


def test_advice_on_waiting_for_images_is_given_only_for_streamed_images():
    phases = PHASES | {"data": 5.0}
    facts = FACTS | {"streamed": True, "gibibytes": 1.21}
    assert doctor.advice({}, phases, FACTS) == []
    (line,) = doctor.advice({}, phases, facts)
    assert line.startswith("data.memory=1.3: waiting for images takes 33%")
