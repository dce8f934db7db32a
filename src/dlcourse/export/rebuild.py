"""Build an exported model again from its config and its weights."""

from torch import Tensor, nn

from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError
from dlcourse.export.whole_model import (
    STANDARDIZING,
    FoldModel,
    WholeModel,
    named_weights,
    split_weights,
)
from dlcourse.schema.facts import with_random_weights


def rebuilt_model(weights: dict[str, Tensor], facts: dict) -> WholeModel:
    """Return the model of exported weights, in evaluation mode.

    The config's code is called: ``open_export`` has checked that it is trusted.
    Raises UserError for weights of another model.
    """
    config = facts["config"]
    kinds = {one.__name__: one for one in STANDARDIZING.values()}
    standardizing = kinds[facts["standardize"]]
    shape = tuple(facts["input"]["shape"][1:])
    make, outputs = build(with_random_weights(config["model"])), facts["output"]["shape"][1]
    views = [build(node) for node in config["view"].values()] if facts["views"] else []
    members = {}
    for fold, (own, before) in split_weights(weights, facts["folds"]).items():
        network = make(shape, outputs)
        load_weights(network, own)
        members[fold] = FoldModel(network, standardizing(**before), views)
    model = WholeModel(members, kind=facts["output"]["kind"], task=facts["task"]).eval()
    assert named_weights(model).keys() == weights.keys()
    return model.requires_grad_(False)


def load_weights(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put weights into a network; raises UserError if they are those of another one."""
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"The exported weights do not fit their model: {reason}") from error
