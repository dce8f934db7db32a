"""A warning names augmentations of the user's own that draw once for each batch."""

import logging
import sys
import types

import pytest
import torch
from conftest import prepared
from torchvision.transforms import v2

from dlcourse.engine.shared_draws import draws_once, warn_of_shared_draws
from dlcourse.train.rng import rng_states

IMAGE = torch.randint(0, 256, (1, 1, 9, 9), generator=torch.Generator().manual_seed(1)).byte()
CLASS = torch.tensor([3])
FLIP = v2.RandomHorizontalFlip()


def flips_whole_batches(inputs, targets):
    return FLIP(inputs), targets


def flips_each(inputs, targets):
    return torch.where(torch.rand(len(inputs), 1, 1, 1) < 0.5, inputs.flip(-1), inputs), targets


def inverts(inputs, targets):
    return 255 - inputs, targets


def mixes(inputs, targets):
    share = torch.rand(())
    mixed = share * inputs.float() + (1 - share) * inputs[torch.randperm(len(inputs))].float()
    return mixed.round().byte(), targets


def fails(inputs, targets):
    raise RuntimeError("broken")


def moves_by_index(inputs, targets, *, index, epoch):
    return torch.stack(
        [image.roll(int(i), 0) for image, i in zip(inputs, index, strict=True)]
    ), targets


@pytest.mark.parametrize(
    ("augment", "shared"),
    [(flips_whole_batches, True), (flips_each, False), (inverts, False), (mixes, False)],
)
def test_only_shared_random_changes_are_found(augment, shared):
    torch.manual_seed(0)
    found = draws_once(lambda inputs, targets, *_: augment(inputs, targets), IMAGE, CLASS)
    assert found == shared


def test_positions_of_the_examples_count_as_a_draw_for_each():
    def by_index(inputs, targets, index, epoch):
        return moves_by_index(inputs, targets, index=index, epoch=epoch)

    assert not draws_once(by_index, IMAGE, CLASS)


@pytest.fixture
def own(monkeypatch):
    """Make the functions of this file a module that a config can name."""
    module = types.ModuleType("my_changes")
    for function in (flips_whole_batches, flips_each, fails):
        setattr(module, function.__name__, function)
    monkeypatch.setitem(sys.modules, "my_changes", module)

    def config_with(tiny, *names):
        config = tiny("model=mlp", "model.widths=[4]")
        config["augment"] = {
            name: {"_target_": f"my_changes.{name}", "_partial_": True} for name in names
        }
        return config

    return config_with


def test_the_warning_names_the_augmentation_once_and_leaves_the_random_numbers(own, tiny, caplog):
    config = own(tiny, "flips_each", "flips_whole_batches")
    _, fold, recipe = prepared(config)
    before = rng_states()
    with caplog.at_level(logging.WARNING):
        warn_of_shared_draws(config, fold, recipe)
    (record,) = caplog.records
    assert "augment=flips_whole_batches changes all examples" in record.getMessage()
    assert "augment=[torchvision]" in record.getMessage()
    after = rng_states()
    assert torch.equal(before["torch"], after["torch"])
    assert torch.equal(before["numpy"][1], after["numpy"][1])
    assert before["python"] == after["python"]


def test_an_error_and_dlcourses_own_augmentations_give_no_warning(own, tiny, caplog):
    config = own(tiny, "fails")
    _, fold, recipe = prepared(config)
    with caplog.at_level(logging.WARNING):
        warn_of_shared_draws(config, fold, recipe)
        config = tiny("model=mlp", "model.widths=[4]", "augment=[flip,noise]")
        _, fold, recipe = prepared(config)
        warn_of_shared_draws(config, fold, recipe)
    assert not caplog.records


def test_a_run_with_the_check_has_the_weights_of_one_without(own, tiny, tmp_path, monkeypatch):
    from dlcourse.engine import fold as fold_module
    from dlcourse.engine.run import run

    config = own(tiny, "flips_whole_batches")
    called = []
    run(config, tmp_path / "with")
    monkeypatch.setattr(fold_module, "warn_of_shared_draws", lambda *_: called.append(1))
    run(config, tmp_path / "without")
    assert called
    with_, without = (
        torch.load(tmp_path / name / "checkpoints/best.pt", weights_only=True)["model"]
        for name in ("with", "without")
    )
    assert with_.keys() == without.keys()
    assert all(torch.equal(weight, without[name]) for name, weight in with_.items())
