"""data.standardize=zca: the covariance of the training part becomes the identity."""

import numpy as np
import pytest
import torch
from conftest import prepared
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from dlcourse import atomic_files
from dlcourse.core import Fold, Observer, Split, Standardize, Whiten
from dlcourse.data.transforms import standardize
from dlcourse.data.whitening import whiten
from dlcourse.engine.assemble import make_recipe
from dlcourse.engine.datasets import load_data
from dlcourse.engine.instantiate import build
from dlcourse.engine.reopen import load_model
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.runs import run_folder
from dlcourse.schema.facts import MOST_WHITENED
from dlcourse.schema.validate import check
from dlcourse.train.evaluate import evaluate


def correlated_images(examples=300, shape=(2, 3, 3)):
    """Return 8-bit images with correlated pixels."""
    count = int(np.prod(shape))
    mixed = torch.randn(examples, count) @ torch.randn(count, count)
    return (mixed * 20 + 128).clamp(0, 255).byte().view(examples, *shape)


def correlated_features(examples=400):
    """Return correlated features with very different scales and means."""
    mixed = torch.randn(examples, 5) @ torch.randn(5, 5)
    return mixed * torch.tensor([1, 1e4, 1e-2, 1, 7]) + torch.tensor([0, 1e5, 0, 3, -1])


KINDS = {"images": correlated_images, "features": correlated_features}


def part(inputs):
    return Split(inputs, torch.zeros(len(inputs)))


def covariance(outputs):
    return torch.cov(outputs.flatten(1).double().T, correction=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_covariance_of_the_training_part_becomes_the_identity(kind):
    inputs = KINDS[kind]()
    outputs = standardize(part(inputs), "zca", 0.0)(inputs)
    assert outputs.shape == inputs.shape
    one = torch.eye(inputs[0].numel(), dtype=torch.float64)
    torch.testing.assert_close(covariance(outputs), one, atol=1e-4, rtol=0)
    assert outputs.mean(0).abs().max() < 1e-4
    before = covariance(standardize(part(inputs), "pixel")(inputs))
    assert (before - one).abs().max() > 0.3  # without zca they are correlated


@pytest.mark.parametrize("kind", KINDS)
def test_zca_equals_scikit_learns_pca_whitening_rotated_back(kind):
    inputs = KINDS[kind]()
    table = inputs.flatten(1).double().numpy()
    if kind == "features":
        table = StandardScaler().fit_transform(table)
    pca = PCA(whiten=True).fit(table)  # divides by n - 1
    theirs = pca.transform(table) @ pca.components_ * np.sqrt(len(table) / (len(table) - 1))
    ours = whiten(part(inputs), 0.0)(inputs).flatten(1)
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_epsilon_times_the_mean_eigenvalue_is_added_to_the_eigenvalues():
    inputs = correlated_images()
    values = torch.linalg.eigvalsh(covariance(inputs))
    damped = torch.linalg.eigvalsh(covariance(whiten(part(inputs), 0.1)(inputs)))
    expected = values / (values + 0.1 * values.mean())
    torch.testing.assert_close(damped, expected, atol=1e-4, rtol=1e-3)


def test_constant_inputs_become_0_and_dependent_inputs_stay_finite():
    features = torch.randn(50, 3)
    table = torch.cat([features, features[:, :1] * 3, torch.full((50, 1), 7.0)], 1)
    table = torch.cat([table, torch.zeros(50, 1)], 1)
    map_ = whiten(part(table), 0.0)
    outputs = map_(table)
    assert outputs.isfinite().all()
    assert outputs[:, 4:].abs().max() < 1e-6
    assert torch.linalg.matrix_rank(covariance(outputs), rtol=1e-6) == 3
    few = correlated_images(examples=5)  # fewer than pixels
    fresh = correlated_images(examples=50)
    assert whiten(part(few), 0.0)(few).isfinite().all()
    assert whiten(part(few), 0.0)(fresh).abs().max() < 100  # noise is not amplified without bound


def test_the_whitening_is_independent_of_the_validation_part(compose):
    cfg = compose("data.standardize=zca", "data.size=8", "data.examples=200", "model=mlp")
    _, fold, _ = prepared(cfg)
    own = whiten(fold.train, cfg["data"]["zca_epsilon"])
    everything = whiten(load_data(cfg).train, cfg["data"]["zca_epsilon"])
    assert torch.equal(fold.standardize.scale, own.scale)
    assert not torch.equal(fold.standardize.scale, everything.scale)


def test_autocast_does_not_round_the_whitening_to_bf16():
    inputs = correlated_images()
    map_ = whiten(part(inputs), 0.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(map_(inputs), whiten(part(inputs), 0.0)(inputs))
        assert map_(inputs).dtype == torch.float32


class Stop(Observer):
    def epoch(self, state):
        raise KeyboardInterrupt


def test_a_run_stores_its_whitening_and_resumes_to_the_same_weights(tiny, tmp_path):
    cfg = tiny("model=mlp", "data.standardize=zca", "data.size=8", "max_epochs=2")
    run(cfg, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        run(cfg, tmp_path / "stopped", observers=[Stop()])
    run(cfg, tmp_path / "stopped")
    last = [
        atomic_files.load_checked(tmp_path / name / "checkpoints/last.pt")
        for name in ("run", "stopped")
    ]
    for name, weights in last[0]["model"].items():
        assert torch.equal(weights, last[1]["model"][name])
    model, map_ = load_model(cfg, build(cfg["runtime"])(), tmp_path / "run")
    assert isinstance(map_, Whiten)
    dataset = load_data(cfg)
    fold = Fold(".", dataset.train, None, map_)
    recipe = make_recipe(cfg, build(cfg["runtime"])(), dataset, fold)
    measured = evaluate(model, dataset.test, map_, recipe, "test")
    result = run_folder.read_result(tmp_path / "run")
    assert measured["test/loss"] == result["test"]["loss"]


def test_an_older_checkpoint_is_read_with_its_standardisation(tiny, tmp_path):
    cfg = tiny("model=mlp", "max_epochs=1")
    run(cfg, tmp_path / "run")
    path = tmp_path / "run/checkpoints/best.pt"
    content = atomic_files.load_checked(path)
    del content["whitened"]
    atomic_files.save_checked(path, content)
    assert type(load_model(cfg, build(cfg["runtime"])(), tmp_path / "run")[1]) is Standardize


def test_too_many_inputs_are_refused_before_and_after_loading_the_data(compose):
    cfg = compose("data=cifar10", "data.standardize=zca", "data.size=37")
    with pytest.raises(UserError, match=r"4,107\.\n.*data\.size=36 or less"):
        check(cfg)
    check(compose("data=cifar10", "data.standardize=zca", "data.size=36"))
    with pytest.raises(UserError, match="at most 4,096 inputs, and an example has 4,097"):
        whiten(part(torch.zeros(3, MOST_WHITENED + 1)), 0.0)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
@pytest.mark.parametrize("kind", KINDS)
def test_the_whitening_on_cuda_equals_that_on_the_cpu(kind):
    inputs = KINDS[kind]()
    here, there = (whiten(part(inputs).to(torch.device(name)), 0.0) for name in ("cpu", "cuda"))
    assert there.scale.device.type == "cuda"
    torch.testing.assert_close(there(inputs.cuda()).cpu(), here(inputs), atol=1e-3, rtol=1e-3)
