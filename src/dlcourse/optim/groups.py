"""Which parameters an optimizer decays."""

from torch import nn


def parameter_groups(model: nn.Module, weight_decay: float, decay_all: bool) -> list[dict]:
    """Divide a model's parameters into those that decay and those that do not.

    Vectors and scalars, which are biases, norms' scales and shifts and learned slopes, are left
    out of weight decay unless ``decay_all``. Empty groups are dropped.

    Reference: Goyal et al., "Accurate, large minibatch SGD", 2017, section 5.3, and He et al.,
    "Bag of tricks for image classification", CVPR 2019, section 3.1, leave them out.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if decay_all or weight_decay == 0:  # one group, for each costs an update call of its own
        return [{"params": parameters, "weight_decay": weight_decay}]
    matrices = [parameter for parameter in parameters if parameter.dim() > 1]
    vectors = [parameter for parameter in parameters if parameter.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
