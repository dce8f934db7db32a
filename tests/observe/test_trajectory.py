"""The weights over the epochs: which are kept, and that training is the same with them."""

from itertools import pairwise

import pytest
import torch
from conftest import prepared

from dlcourse import atomic_files
from dlcourse.engine.run import run
from dlcourse.observe.trajectory import interval_of, stored


@pytest.mark.parametrize("copies", [2, 3, 10, 40])
def test_the_kept_epochs_are_evenly_spaced_and_never_too_many(copies):
    intervals = [interval_of(epoch, copies) for epoch in range(1, 500)]
    for epoch, interval in enumerate(intervals, 1):
        assert epoch / interval <= copies
        assert interval == 1 or epoch / interval > copies / 2
    assert all(later in (earlier, 2 * earlier) for earlier, later in pairwise(intervals))


PLAIN = ("data.examples=60", "model=mlp", "runtime=cpu", "batch_size=16", "stop=never")
OVERRIDES = (*PLAIN, "observe=[history,trajectory]", "observe.trajectory.copies=4")


def last_weights(folder):
    """Return the names and the weights of the last checkpoint of a run."""
    return atomic_files.load_checked(folder / "checkpoints/last.pt")["model"]


def test_the_initial_and_the_last_weights_are_those_of_the_run(compose, tmp_path):
    config = compose(*OVERRIDES, "max_epochs=4")
    run(config, tmp_path)
    files = stored(tmp_path / "trajectory")
    assert list(files) == [0, 1, 2, 3, 4]
    path = {epoch: atomic_files.load_checked(file)["weights"] for epoch, file in files.items()}
    assert all(weights.dtype == torch.float16 for weights in path.values())
    initial = torch.cat([weight.flatten() for weight in prepared(config)[0].model.parameters()])
    assert torch.equal(path[0], initial.half())
    last = torch.cat([weight.flatten() for weight in last_weights(tmp_path).values()])
    assert torch.equal(path[4], last.half())


def test_training_is_the_same_with_it_and_a_resumed_run_has_the_same_files(compose, tmp_path):
    config = compose(*OVERRIDES, "max_epochs=9")
    run(config, tmp_path / "whole")
    run(compose(*PLAIN, "max_epochs=9", "observe=[history]"), tmp_path / "without")
    whole, without = last_weights(tmp_path / "whole"), last_weights(tmp_path / "without")
    assert all(torch.equal(whole[name], without[name]) for name in whole)

    run(compose(*OVERRIDES, "max_epochs=6"), tmp_path / "parts")
    folder = tmp_path / "parts/trajectory"
    for epoch in (7, 10):  # as if it had been killed before the checkpoint of epoch 7
        (folder / f"{epoch:06}.pt").write_bytes(b"of a run that was killed")
    run(config, tmp_path / "parts", ["max_epochs=9"])
    assert list(stored(folder)) == list(stored(tmp_path / "whole/trajectory")) == [0, 4, 8]
    for epoch, file in stored(folder).items():
        other = atomic_files.load_checked(tmp_path / f"whole/trajectory/{epoch:06}.pt")
        assert torch.equal(atomic_files.load_checked(file)["weights"], other["weights"])


def test_a_model_that_is_too_large_is_trained_without_it(compose, tmp_path, caplog):
    run(compose(*OVERRIDES, "max_epochs=1", "observe.trajectory.megabytes=0.01"), tmp_path)
    assert (tmp_path / "result.json").exists()
    assert "The observer trajectory failed" in caplog.text
    assert "observe.trajectory.megabytes=0.01" in caplog.text


def test_weights_beyond_half_precision_are_kept_in_full(tmp_path):
    from dlcourse.observe.trajectory import WeightTrajectory

    model = torch.nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1e5, 1.0]]))
    observer = WeightTrajectory(tmp_path, copies=2, megabytes=1)
    observer.folder.mkdir()
    observer.write(model, 3)
    found = atomic_files.load_checked(stored(observer.folder)[3])
    assert found["weights"].tolist() == [1e5, 1.0]
    assert found["epoch"] == 3
