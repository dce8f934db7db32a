"""A user's own loss that does not accept soft targets is refused with one message."""

import pytest
import torch
from torch.nn import functional as F

from dlcourse.engine.soft_targets import refusing_soft_targets
from dlcourse.errors import UserError

OUTPUTS = torch.zeros(4, 3)
SHARES = torch.full((4, 3), 1 / 3)
CLASSES = torch.tensor([0, 1, 2, 0])


def of_classes(outputs, targets):
    """Return a loss that takes classes (N,) only."""
    return F.nll_loss(outputs.log_softmax(1), targets)


def config(*augment: str, target: str = "my.loss", **facts: bool):
    """Return a config with some of dlcourse's augmentations and a user's own loss."""
    return {
        "augment": {name: {"_target_": f"dlcourse.augment.{name}.{name}"} for name in augment},
        "loss": {"_target_": target, **({"_facts_": facts} if facts else {})},
    }  # fmt: skip


def test_a_loss_that_fails_on_soft_targets_is_refused_in_one_message():
    loss = refusing_soft_targets(of_classes, config("flip", "mixup"))
    with pytest.raises(UserError, match=r"augment=mixup .* my\.loss does not .*\nType loss=cross"):
        loss(OUTPUTS, SHARES)
    assert loss(OUTPUTS, CLASSES) == of_classes(OUTPUTS, CLASSES)


def test_an_error_on_hard_targets_is_raised_unchanged():
    loss = refusing_soft_targets(of_classes, config("mixup"))
    with pytest.raises((ValueError, RuntimeError), match=r"batch_size|batch size"):
        loss(OUTPUTS, CLASSES[:2])


@pytest.mark.parametrize(
    "cfg",
    [
        config("flip"),
        config(),
        config("mixup", soft_targets=True),
        config("cutmix", target="dlcourse.loss.cross_entropy.cross_entropy"),
    ],
)
def test_a_loss_that_cannot_fail_is_returned_unchanged(cfg):
    assert refusing_soft_targets(of_classes, cfg) is of_classes
