"""Which parameters learn, how fast, and which of them decay."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from torch import Tensor, nn

from dlcourse.error import UserError, nearest


def parameter_groups(
    model: nn.Module,
    weight_decay: float,
    decay_all: bool,
    rates: Mapping[str, float],
    freeze: Sequence[str],
) -> list[dict]:
    """Divide a model's parameters into groups of one weight decay and one learning rate.

    Each group holds ``params``, ``weight_decay`` and ``rate``, a factor of the base learning rate.
    Vectors and scalars, which are biases, norms' scales and shifts and learned slopes, are left
    out of weight decay unless ``decay_all``.

    rates: patterns of parameter names -> factor, ``{"features.*": 0.1}``; the last that fits wins.
    freeze: patterns of parameter names; these parameters no longer require a gradient, and what
        requires none is in no group.

    Raises UserError for a pattern that fits no parameter, and where nothing is left to learn.

    Reference: Goyal et al., "Accurate, large minibatch SGD", 2017, section 5.3, and He et al.,
    "Bag of tricks for image classification", CVPR 2019, section 3.1, leave vectors out of decay.
    """
    for pattern in freeze:
        for parameter in matching(model, pattern, "freeze").values():
            parameter.requires_grad_(False)
    factors = dict.fromkeys(dict(model.named_parameters()), 1.0)
    for pattern, factor in rates.items():
        factors.update(dict.fromkeys(matching(model, pattern, "rates"), factor))

    groups: dict[tuple[float, float], list[Tensor]] = {}  # one each, for each is an update call
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = weight_decay if decay_all or parameter.dim() > 1 else 0.0
            groups.setdefault((decay, factors[name]), []).append(parameter)
    if not groups:
        raise UserError(
            "No parameter is left to learn: all of them are frozen.\n"
            "Type optim.freeze=[] or patterns that leave some, such as 'optim.freeze=[features.*]'"
        )
    return [
        {"params": parameters, "weight_decay": decay, "rate": rate}
        for (decay, rate), parameters in groups.items()
    ]


def matching(model: nn.Module, pattern: str, key: str) -> dict[str, nn.Parameter]:
    """Return the parameters whose names fit a pattern with ``*``, ``?`` or ``[abc]`` in it.

    key: where the pattern comes from, ``rates`` or ``freeze``.

    Raises UserError with the names of the model's parts where none fits.
    """
    named = dict(model.named_parameters())
    found = {name: named[name] for name in named if fnmatchcase(name, pattern)}
    if found:
        return found
    parts = list(dict.fromkeys(name.partition(".")[0] for name in named))
    example = f"{parts[0]}*" if parts[0] in named else f"{parts[0]}.*"
    factor = ":0.1" if key == "rates" else ""
    raise UserError(
        f"optim.{key}: no parameter of this model is called {pattern}; "
        f"{nearest(pattern.partition('.')[0], parts)}\n"
        f"Type, for example, 'optim.{key}=[{example}{factor}]'"
    )
