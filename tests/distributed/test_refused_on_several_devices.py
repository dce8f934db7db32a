"""What several devices cannot share is refused before any time is spent."""

import pytest


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optim=lbfgs", "batch_size=full"], "optim=lbfgs needs it as a whole"),
        (["model=cascade", "batch_size=full"], "model=cascade needs it as a whole"),
        (["model=linear", "loss=mse", "optim=closed_form", "batch_size=full"],
         "optim=closed_form needs it as a whole"),
        (["batch_size=1"], "batch_size=1 leaves some devices without an example"),
        (["runtime.device=cuda:1"], "runtime.device=cuda:1 names one device"),
        (["runtime=mps"], "runtime.device=mps names one device"),
        (["runtime.compile=true"], "runtime.compile=true is not supported on several devices"),
        (["runtime.batch_norm=global"], "runtime.batch_norm"),
    ],
)  # fmt: skip
def test_what_cannot_be_shared_is_refused(overrides, message, refused):
    assert message in refused(*overrides, "runtime.devices=2")


def test_zero_devices_are_refused(refused):
    assert "runtime.devices" in refused("runtime.devices=0")


def test_sam_and_the_whole_training_part_can_be_shared(compose):
    assert compose("optim=sam", "runtime.devices=2")["runtime"]["devices"] == 2
    whole = compose("optim=gd", "batch_size=full", "runtime.devices=3")
    assert (whole["batch_size"], whole["runtime"]["devices"]) == ("full", 3)
