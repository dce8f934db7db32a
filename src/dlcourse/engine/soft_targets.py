"""Explain the error of a user's own loss that does not take the soft targets of an augmentation."""

from collections.abc import Callable

from torch import Tensor

from dlcourse.errors import UserError
from dlcourse.schema.facts import fact

Loss = Callable[[Tensor, Tensor], Tensor]


def refusing_soft_targets(loss: Loss, config: dict) -> Loss:
    """Return a loss that raises UserError if it fails on mixed classes.

    A loss that declares ``soft_targets`` in its YAML was checked before, and is returned unchanged.
    """
    mixing = [name for name, node in config["augment"].items() if fact(node, "mixes_targets")]
    if not mixing or fact(config["loss"], "soft_targets") is not None:
        return loss

    def checked(outputs: Tensor, targets: Tensor) -> Tensor:
        try:
            return loss(outputs, targets)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            if not targets.is_floating_point():
                raise
            raise UserError(
                f"augment={mixing[0]} mixes classes, and {config['loss']['_target_']} does not "
                f"take classes as probabilities (N, K): {str(error).splitlines()[0]}.\n"
                f"Type loss=cross_entropy, or leave out augment={mixing[0]}. With _facts_: "
                "{soft_targets: false} in the YAML of your loss this is found before training"
            ) from error

    return checked
