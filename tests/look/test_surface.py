"""``dlcourse look what=surface``: losses compared with the run's own; the model is unchanged."""

import json

import numpy as np
import pytest
import torch

from dlcourse import atomic_files
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.introspect.loss_surface import losses_on_grid, random_direction, weight_vector
from dlcourse.look.request import read_request
from dlcourse.look.run_parts import loss_function, run_parts
from dlcourse.look.subject import drawings, open_subject
from dlcourse.look.surface import hessian_eigenvalue, sides_around
from dlcourse.look.two_runs import height_of_barrier, mixed_weights
from dlcourse.look.weight_path import weight_path


@pytest.fixture(scope="module")
def folders(tmp_path_factory, data_root):
    """Return the folders of two runs with one model, the first with its path, and of a third."""
    from dlcourse.schema.compose import compose_job, without_hydra

    place, found = tmp_path_factory.mktemp("surfaces"), {}
    common = [f"data.root={data_root}", "data.examples=100", "max_epochs=3", "runtime=cpu",
              "optim.lr=0.01"]  # fmt: skip
    own = {
        "first": ["model=lenet", "model.norm=batch", "observe=[history,trajectory]"],
        "second": ["model=lenet", "model.norm=batch", "observe=[history]", "seed=1"],
        "other": ["model=mlp", "observe=[history]"],
        "line": ["data=linear", "model=linear", "observe=[history]"],
    }
    for name, more in own.items():
        found[name] = place / name
        run(without_hydra(compose_job([*more, *common], None)), found[name])
    return found


def opened(folder, **typed):
    """Return a run opened for ``surface`` with its options."""
    request = read_request(folder, "surface", {"points": 3, "examples": 20, **typed})
    return open_subject(request), request.options["surface"]


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_the_loss_at_the_center_is_that_of_the_result(folders, part):
    subject, _ = opened(folders["first"])
    parts = run_parts(subject)
    loss = loss_function(subject, parts, parts.part(part))
    draws = torch.Generator().manual_seed(0)
    directions = (
        random_direction(subject.network, draws),
        random_direction(subject.network, draws),
    )
    side = np.array([-1.0, 0.0, 1.0])
    origin = weight_vector(subject.network)
    losses = losses_on_grid(subject.network, origin, directions, (side, side), loss)
    result = json.loads((folders["first"] / "result.json").read_text())
    if part != "train":
        assert losses[1, 1] == pytest.approx(result[part]["loss"], rel=1e-6)
    assert losses[1, 1] == loss()
    assert (losses != losses[1, 1]).sum() == 8


def test_nothing_of_the_model_or_the_random_numbers_changes(folders):
    subject, options = opened(folders["first"], directions="both")
    before = {name: value.clone() for name, value in subject.network.state_dict().items()}
    torch.manual_seed(3)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    for changed in ({}, {"with": str(folders["second"])}):
        assert drawings(subject, "surface", {**options, **changed})
    after = subject.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()


def test_the_path_is_the_stored_one_else_initial_best_and_last_weights(folders):
    subject, _ = opened(folders["first"])
    path = weight_path(subject, run_parts(subject))
    assert path.labels == ("start", "epoch 1", "epoch 2", "epoch 3")
    subject, _ = opened(folders["second"])
    known = weight_path(subject, run_parts(subject))
    last = atomic_files.load_checked(folders["second"] / "checkpoints/last.pt")["model"]
    names = [name for name, _ in subject.network.named_parameters()]
    assert torch.equal(known.weights[2], torch.cat([last[name].flatten() for name in names]))
    assert torch.equal(known.weights[1], weight_vector(subject.network))
    assert known.labels[0] == "start"
    assert "trajectory" in known.hint


def test_the_initial_weights_are_made_again_from_the_seed(folders):
    subject, _ = opened(folders["first"])
    stored = weight_path(subject, run_parts(subject)).weights[0]
    (folders["first"] / "trajectory").rename(folders["first"] / "moved")
    try:
        made = weight_path(subject, run_parts(subject)).weights[0]
    finally:
        (folders["first"] / "moved").rename(folders["first"] / "trajectory")
    assert torch.equal(made.half().float(), stored)


def test_the_losses_at_the_ends_of_a_line_are_those_of_the_two_runs(folders):
    subject, options = opened(folders["first"], **{"with": folders["second"]})
    (drawing,) = drawings(subject, "surface", {**options, "examples": 1000})
    (axes,) = drawing.figures[0].axes
    curves = {line.get_label(): line.get_xydata() for line in axes.get_lines()[:2]}
    assert list(curves) == ["training part, 80 examples", "test part, 360 examples"]
    results = [
        json.loads((folders[name] / "result.json").read_text()) for name in ("first", "second")
    ]
    along, test = curves["test part, 360 examples"].T
    assert test[along == 0] == pytest.approx(results[0]["test"]["loss"], rel=1e-5)
    assert test[along == 1] == pytest.approx(results[1]["test"]["loss"], rel=0.02)  # other mean
    assert "batch norm are mixed" in drawing.seen


def test_another_model_is_refused_with_a_message(folders):
    subject, options = opened(folders["first"], **{"with": folders["other"]})
    with pytest.raises(UserError, match=r"has another model: .* is not in both runs"):
        drawings(subject, "surface", options)


def test_mixed_weights_are_exact_at_the_ends_and_whole_numbers_stay():
    first = {"w": torch.tensor([1.0, 2.0]), "n": torch.tensor(3)}
    second = {"w": torch.tensor([0.1, 7.0]), "n": torch.tensor(9)}
    assert torch.equal(mixed_weights(first, second, 0.0)["w"], first["w"])
    assert torch.equal(mixed_weights(first, second, 1.0)["w"], second["w"])
    assert mixed_weights(first, second, 0.5)["n"] == 3


def test_the_barrier_is_measured_from_the_straight_line():
    along = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    assert height_of_barrier(along, np.array([9.0, 1.0, 5.0, 3.0, 9.0])) == 3.0
    assert height_of_barrier(along, np.array([9.0, 1.0, 2.0, 3.0, 9.0])) == 0.0


def test_the_grid_covers_the_path_and_the_best_weights_with_a_margin():
    first, second = sides_around(np.array([[4.0, 0.1], [1.0, 0.0]]), 5)
    assert (first[0], first[-1]) == pytest.approx((-1, 5))
    assert second[0] < 0
    assert second[-1] > 0.1
    assert np.ptp(second) == pytest.approx(0.1 * 4 * 1.5)


def test_a_straight_path_is_drawn_as_a_line(folders, monkeypatch):
    from dlcourse.look import surface
    from dlcourse.look.weight_path import WeightPath

    subject, options = opened(folders["second"], directions="path")
    own = weight_vector(subject.network)
    path = WeightPath(torch.stack([own + 1, own]), ("start", "best"))
    monkeypatch.setattr(surface, "weight_path", lambda subject, parts: path)
    (drawing,) = drawings(subject, "surface", options)
    assert "straight line" in drawing.seen


def test_the_eigenvalue_is_the_largest_of_the_whole_hessian(folders):
    subject, options = opened(folders["line"], hessian=True, examples=1000)
    parts = run_parts(subject)
    ((inputs, targets),) = parts.fold.train.batches([torch.arange(80)])
    ready = torch.cat([parts.fold.standardize(inputs), torch.ones(80, 1)], 1)
    weights = torch.zeros(4)
    hessian = torch.autograd.functional.hessian(
        lambda w: parts.recipe.plain_loss((ready @ w)[:, None], targets), weights
    )
    expected = float(torch.linalg.eigvalsh(hessian)[-1])
    found = hessian_eigenvalue(subject, parts, parts.fold.train, 0)
    assert found == pytest.approx(expected, rel=0.02)  # after 20 steps of power iteration
    (drawing,) = drawings(subject, "surface", options)
    assert f"largest eigenvalue of the Hessian {found:.3g}" in drawing.seen
    assert not any(weight.requires_grad for weight in subject.network.parameters())
