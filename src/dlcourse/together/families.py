"""Which lanes can be trained together, and why others cannot."""

from collections.abc import Sequence

from torch import nn

from dlcourse.core import Split
from dlcourse.together.alike import alike, same_architecture
from dlcourse.together.lane import Lane
from dlcourse.train.differentiate import in_one_pass
from dlcourse.train.step import gradient_step, whole_batch


def why_alone(lane: Lane) -> str | None:
    """Return why a lane has to be trained by itself; None if it can be trained with others."""
    state, recipe = lane.state, lane.recipe
    if recipe.nonfinite.max_skipped:
        return "nonfinite=skip decides at each step whether to update"
    if recipe.step is not gradient_step:
        return f"{type(state.optimizer).__name__} or {type(state.model).__name__} has its own step"
    if recipe.differentiate is not in_one_pass:
        return "accumulate computes a batch in pieces"
    if recipe.share is not whole_batch:
        return "each batch is shared among processes"
    if state.scaler.is_enabled():
        return "fp16 decides at each step whether to update"
    if type(lane.fold.train) is not Split:
        return "the images are read from disk"
    if state.model._compiled_call_impl is not None:
        return "the model is compiled"
    if not any(weight.requires_grad for weight in state.model.parameters()):
        return "no weight is trained"
    return None


def families(lanes: Sequence[Lane]) -> tuple[list[list[Lane]], dict[str, list[Lane]]]:
    """Divide lanes into families, each of the same architecture and kind of batch.

    Returns the families of two lanes or more, and all other lanes by the reason.
    """
    found: list[list[Lane]] = []
    alone: dict[str, list[Lane]] = {}
    for lane in lanes:
        reason = why_alone(lane)
        family = next((some for some in found if same_kind(some[0], lane)), None)
        if reason is not None:
            alone.setdefault(reason, []).append(lane)
        elif family is None:
            found.append([lane])
        else:
            family.append(lane)
    for family in found:
        if len(family) == 1:
            alone.setdefault("no other run has its architecture", []).extend(family)
    return [family for family in found if len(family) > 1], alone


def same_kind(one: Lane, other: Lane) -> bool:
    """Return whether two lanes have the same architecture and the same kind of batch."""
    examples = [lane.fold.train.inputs for lane in (one, other)]
    return (
        one.recipe.batch_size == other.recipe.batch_size
        and examples[0].shape[1:] == examples[1].shape[1:]
        and examples[0].dtype == examples[1].dtype
        and examples[0].device == examples[1].device
        and alike(one.recipe.autocast, other.recipe.autocast)
        and same_architecture(one.state.model, other.state.model)
    )


def number_of_parameters(model: nn.Module) -> int:
    """Return the number of a model's parameters."""
    return sum(weight.numel() for weight in model.parameters())


def only_matrices(model: nn.Module) -> bool:
    """Return whether all weights of a model are those of linear layers."""
    layers = [layer for layer in model.modules() if any(True for _ in layer.parameters(False))]
    return all(isinstance(layer, nn.Linear) for layer in layers)
