"""Parameter groups: learning rates, weight decay and freezing by parameter name."""

import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from torch import Tensor, nn

from dlcourse.errors import UserError, nearest
from dlcourse.optim.layer_decay import layer_factors


def parameter_groups(
    model: nn.Module,
    weight_decay: float,
    decay_all: bool,
    rates: Mapping[str, float],
    freeze: Sequence[str],
    *,
    decays: Mapping[str, float] | None = None,
    freeze_after: Mapping[str, float] | None = None,
    freeze_until: Mapping[str, float] | None = None,
    apart: Sequence[str] = (),
    layer_decay: float = 1.0,
) -> list[dict]:
    """Divide a model's parameters into groups with equal options.

    Each group holds ``params``, ``weight_decay`` and ``rate``, a factor of the base learning rate.
    Vectors and scalars (biases, scales and shifts of norms, learned slopes) have no weight decay
    unless ``decay_all``.

    rates: patterns of parameter names -> factor, ``{"features.*": 0.1}``; the last match counts.
    freeze: patterns; matching parameters no longer require a gradient. Parameters that require no
        gradient belong to no group.
    decays: patterns -> factor of the weight decay.
    freeze_after, freeze_until: patterns -> epoch after which, or until which, parameters are
        frozen; their groups hold ``learns``, the interval of epochs (start, end) in which they are
        trained.
    apart: patterns; the groups of matching parameters hold ``apart=True``. ``optim=muon`` updates
        them like vectors.
    layer_decay: factor of the rate from each layer to the one below it; see ``layer_factors``.

    Raises UserError for a pattern that matches no parameter, if no parameter is left to train, and
    for parameters that would never be trained.

    Reference: Goyal et al., "Accurate, large minibatch SGD", 2017, section 5.3, and He et al.,
    "Bag of tricks for image classification", CVPR 2019, section 3.1, exclude vectors from decay;
    Brock, Lim, Ritchie, Weston, "FreezeOut: accelerate training by progressively freezing
    layers", 2017; Howard, Ruder, "Universal language model fine-tuning for text classification",
    ACL 2018, section 3.3, unfreezes one layer after another.
    """
    for pattern in freeze:
        for parameter in matching(model, pattern, "freeze").values():
            parameter.requires_grad_(False)
    factors = by_name(model, rates, "rates", 1.0)
    depth_factors = layer_factors(model, layer_decay)
    decay_factors = by_name(model, decays or {}, "decays", 1.0)
    first = by_name(model, freeze_until or {}, "freeze_until", 0.0)
    last = by_name(model, freeze_after or {}, "freeze_after", math.inf)
    set_apart = by_name(model, dict.fromkeys(apart, 1.0), "apart", 0.0)

    groups: dict[tuple, list[Tensor]] = {}  # few groups, since each costs an update call
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if first[name] >= last[name]:
            raise UserError(
                f"{name} would never be trained: it is frozen until epoch {first[name]:g} and "
                f"after epoch {last[name]:g}.\nType a larger optim.freeze_after, or optim.freeze"
            )
        decays_at_all = decay_all or parameter.dim() > 1
        decay = weight_decay * decay_factors[name] if decays_at_all else 0.0
        rate = factors[name] * depth_factors.get(name, 1.0)
        key = (decay, rate, first[name], last[name], set_apart[name])
        groups.setdefault(key, []).append(parameter)
    if not groups:
        raise UserError(
            "No parameter is left to train: all of them are frozen.\n"
            "Type optim.freeze=[] or patterns that leave some, such as 'optim.freeze=[features.*]'"
        )
    return [
        {"params": parameters, "weight_decay": decay, "rate": rate}
        | ({"learns": (start, end)} if (start, end) != (0.0, math.inf) else {})
        | ({"apart": True} if alone else {})
        for (decay, rate, start, end, alone), parameters in groups.items()
    ]


def by_name(
    model: nn.Module, patterns: Mapping[str, float], key: str, otherwise: float
) -> dict[str, float]:
    """Return a number for every parameter's name: that of the last matching pattern."""
    numbers = dict.fromkeys(dict(model.named_parameters()), otherwise)
    for pattern, number in patterns.items():
        numbers.update(dict.fromkeys(matching(model, pattern, key), number))
    return numbers


def matching(model: nn.Module, pattern: str, key: str) -> dict[str, nn.Parameter]:
    """Return the parameters whose names match a pattern with ``*``, ``?`` or ``[abc]``.

    key: the option that holds the pattern, for example ``rates``, for the message.

    Raises UserError, with the names of the model's modules, if none matches.
    """
    named = dict(model.named_parameters())
    found = {name: named[name] for name in named if fnmatchcase(name, pattern)}
    if found:
        return found
    parts = list(dict.fromkeys(name.partition(".")[0] for name in named))
    example = f"{parts[0]}*" if parts[0] in named else f"{parts[0]}.*"
    number = {"freeze": "", "apart": "", "freeze_after": ":3", "freeze_until": ":3"}
    raise UserError(
        f"optim.{key}: no parameter of this model is called {pattern}; "
        f"{nearest(pattern.partition('.')[0], parts)}\n"
        f"Type, for example, 'optim.{key}=[{example}{number.get(key, ':0.1')}]'"
    )
