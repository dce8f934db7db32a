"""A run's model as one plain module: raw inputs in, probabilities or values out."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.core import Impute, Standardize, Whiten
from dlcourse.errors import UserError
from dlcourse.view.answer import from_views

STANDARDIZE = "standardize."  # in front of the names of the standardisation's tensors


class Standardizing(nn.Module):
    """Maps raw inputs (N, ...) to (inputs - mean) * scale, as ``core.Standardize`` does.

    tensors: those of the run's map, by name.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, **tensors: Tensor) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs.to(self.mean.dtype) - self.mean).to(self.scale.dtype) * self.scale


class Whitening(Standardizing):
    """Maps raw inputs (N, ...) of D numbers each to (inputs - mean) @ scale, with scale (D, D)."""

    def forward(self, inputs: Tensor) -> Tensor:
        centred = (inputs.to(self.mean.dtype) - self.mean).to(self.scale.dtype)
        return (centred.flatten(1) @ self.scale).view(inputs.shape)


class Imputing(Standardizing):
    """Replaces NaN in features (N, D) by ``fill`` (D,), then standardises."""

    fill: Tensor

    def forward(self, inputs: Tensor) -> Tensor:
        inputs = inputs.to(self.mean.dtype)
        return super().forward(torch.where(inputs.isnan(), self.fill, inputs))


STANDARDIZING: dict[type, type[Standardizing]] = {
    Standardize: Standardizing,
    Whiten: Whitening,
    Impute: Imputing,
}
"""The module of each kind of standardisation."""


def standardizing(standardize: Standardize) -> Standardizing:
    """Return a run's standardisation as a module whose outputs are float32.

    The mean of float64 columns keeps its digits, such as that of times in seconds.
    """
    module = STANDARDIZING.get(type(standardize))
    if module is None:
        raise UserError(f"The standardisation {type(standardize).__name__} cannot be exported")
    tensors = {name: part.detach().cpu() for name, part in standardize.tensors().items()}
    short = tensors if module is Standardizing else ("scale",)
    return module(**{n: part.float() if n in short else part for n, part in tensors.items()})


class FoldModel(nn.Module):
    """One trained network with its standardisation and views: raw inputs -> outputs (N, K).

    views: as ``view.answer`` takes them; empty for none.
    """

    def __init__(
        self, network: nn.Module, standardize: nn.Module, views: Sequence[Callable[..., Any]]
    ) -> None:
        super().__init__()
        self.network, self.standardize = network, standardize
        self.answer = from_views(views, lambda inputs: inputs)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.answer(self.network, self.standardize(inputs)).float()


class WholeModel(nn.Module):
    """Maps raw inputs (N, ...) to the class probabilities or values (N, K), averaged over members.

    members: a trained network, or those of a cross-validation by the name of the fold.
    kind: softmax, sigmoid or scores, as the loss declares its outputs. task: that of the data set.
    """

    def __init__(self, members: dict[str, FoldModel], *, kind: str, task: str) -> None:
        super().__init__()
        self.members = nn.ModuleDict(members)
        self.kind, self.task = kind, task

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = [member(inputs) for member in self.members.values()]
        return predictions_of(outputs, self.kind, self.task)


def predictions_of(outputs: Sequence[Tensor], kind: str, task: str) -> Tensor:
    """Return the predictions (N, K) of several members' outputs (N, K), as ``engine`` does.

    It is ``engine.ensemble.average`` and the softmax or sigmoid after it, in float32 and with the
    fewest operations.
    """
    alone = len(outputs) == 1
    if task == "regression":
        return mean(outputs)
    if task == "multilabel":
        return mean(outputs).sigmoid() if kind == "scores" else mean([o.sigmoid() for o in outputs])
    if alone or kind == "scores":
        return mean(outputs).softmax(1)
    if kind == "sigmoid":  # the softmax of log p - log (1 - p), where p is the mean probability
        present = torch.stack([F.logsigmoid(one) for one in outputs]).logsumexp(0)
        absent = torch.stack([F.logsigmoid(-one) for one in outputs]).logsumexp(0)
        return (present - absent).softmax(1)
    return mean([one.softmax(1) for one in outputs])


def mean(tensors: Sequence[Tensor]) -> Tensor:
    """Return the mean of tensors of one shape."""
    return tensors[0] if len(tensors) == 1 else torch.stack(list(tensors)).mean(0)


def without_data_dependence(network: nn.Module) -> nn.Module:
    """Return a network whose computation does not depend on the content of its tensors.

    A module with a method ``for_export`` is replaced by what that returns, and the randomised leaky
    ReLU, which ONNX has not, by the leaky ReLU that it is outside training.
    """
    if type(network) is nn.RReLU:
        return nn.LeakyReLU((network.lower + network.upper) / 2)
    own = getattr(network, "for_export", None)
    if own is not None:
        return own()
    for name, part in network.named_children():
        setattr(network, name, without_data_dependence(part))
    return network


def named_weights(model: WholeModel) -> dict[str, Tensor]:
    """Return all tensors by name: the network's own names, and ``standardize.mean`` ...

    With several members each name starts with that of the fold, ``fold0.features.0.weight``.
    """
    found: dict[str, Tensor] = {}
    several = len(model.members) > 1
    for fold, member in model.members.items():
        start = f"{fold}." if several else ""
        for part, front in (("network", ""), ("standardize", STANDARDIZE)):
            tensors = getattr(member, part).state_dict()
            found |= {f"{start}{front}{name}": tensor for name, tensor in tensors.items()}
    return found


def split_weights(
    weights: dict[str, Tensor], folds: Iterable[str]
) -> dict[str, tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Return the tensors of each fold's network and of its standardisation, by its own names."""
    folds = list(folds)
    found = {}
    for fold in folds:
        start = f"{fold}." if len(folds) > 1 else ""
        own = {n.removeprefix(start): t for n, t in weights.items() if n.startswith(start)}
        before = {
            n.removeprefix(STANDARDIZE): t for n, t in own.items() if n.startswith(STANDARDIZE)
        }
        found[fold] = {n: t for n, t in own.items() if not n.startswith(STANDARDIZE)}, before
    return found
