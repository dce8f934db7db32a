"""Activations by name, as in ``model.activation=gelu`` and ``model.activation=leaky_relu:0.2``."""

import math
from collections.abc import Callable
from inspect import isfunction, signature

import torch
from torch import Tensor, nn

from dlcourse.errors import UserError, nearest


class Elementwise(nn.Module):
    """Applies a function to its inputs; shapes do not change.

    numbers: keyword arguments of the function, such as ``alpha``.
    """

    def __init__(self, function: Callable[..., Tensor], **numbers: float) -> None:
        super().__init__()
        self.function, self.numbers = function, numbers

    def forward(self, inputs: Tensor) -> Tensor:
        return self.function(inputs, **self.numbers)

    def extra_repr(self) -> str:
        """Return the function's name and numbers, for printing the model."""
        numbers = (f"{name}={number}" for name, number in self.numbers.items())
        return ", ".join([self.function.__name__, *numbers])


class Maxout(nn.Module):
    """Takes the largest of ``pieces`` values for each unit: (N, pieces C, ...) to (N, C, ...).

    The layer before it computes all of them: unit i has the values i, i + C, i + 2 C, ...

    Reference: Goodfellow, Warde-Farley, Mirza, Courville, Bengio, "Maxout networks", ICML 2013.
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.unflatten(1, (self.pieces, -1)).amax(1)  # (N, C, ...)

    def extra_repr(self) -> str:
        """Return the number of pieces, for printing the model."""
        return f"pieces={self.pieces}"


def heaviside(x: Tensor) -> Tensor:
    """Return 1 where x > 0, else 0.

    Its derivative is zero almost everywhere, so the gradient is that of the identity where
    |x| <= 1, and 0 elsewhere (straight-through estimator).

    Reference: Bengio, Leonard, Courville, "Estimating or propagating gradients through stochastic
    neurons", 2013.
    """
    return _straight_through((x > 0).to(x.dtype), x)


def sign(x: Tensor) -> Tensor:
    """Return -1, 0 or 1, with the same straight-through gradient as ``heaviside``."""
    return _straight_through(torch.sign(x), x)


def isru(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Return x / sqrt(1 + alpha x^2), the inverse square root unit.

    Reference: Carlile, Delamarter, Kinney, Marti, Whitney, "Improving deep learning by inverse
    square root linear units", 2017.
    """
    return x * torch.rsqrt(1 + alpha * x * x)


def isrlu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Return x where x >= 0, else x / sqrt(1 + alpha x^2); same paper as ``isru``."""
    return torch.where(x >= 0, x, isru(x, alpha))


def sqnl(x: Tensor) -> Tensor:
    """Return the square non-linearity: x - sign(x) x^2 / 4 within [-2, 2], else the sign.

    Reference: Wuraola, Patel, "SQNL: a new computationally efficient activation function", 2018.
    """
    x = x.clamp(-2, 2)
    return x - x * x.abs() / 4


def bipolar_relu(x: Tensor) -> Tensor:
    """Return max(0, x) for even units and min(0, x) for odd ones, counted along dimension 1.

    Reference: Eidnes, Nokland, "Shifting mean activation towards zero with bipolar activation
    functions", 2017.
    """
    odd = torch.arange(x.shape[1], device=x.device) % 2 == 1
    odd = odd.view(1, -1, *[1] * (x.dim() - 2))
    return torch.where(odd, x.clamp(max=0), x.clamp(min=0))


def gaussian(x: Tensor) -> Tensor:
    """Return exp(-x^2)."""
    return torch.exp(-x * x)


def _straight_through(hard: Tensor, x: Tensor) -> Tensor:
    soft = x.clamp(-1, 1)
    return hard + (soft - soft.detach())


ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "identity": nn.Identity,
    "heaviside": lambda: Elementwise(heaviside),
    "sign": lambda: Elementwise(sign),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "arctan": lambda: Elementwise(torch.arctan),
    "relu": nn.ReLU,
    "leaky_relu": lambda slope=0.01: nn.LeakyReLU(slope),
    "rrelu": lambda lower=1 / 8, upper=1 / 3: nn.RReLU(lower, upper),
    "prelu": lambda slope=0.25: nn.PReLU(init=slope),
    "elu": lambda alpha=1.0: nn.ELU(alpha),
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "softplus": lambda beta=1.0: nn.Softplus(beta),
    "softsign": nn.Softsign,
    "isru": lambda alpha=1.0: Elementwise(isru, alpha=alpha),
    "isrlu": lambda alpha=1.0: Elementwise(isrlu, alpha=alpha),
    "sqnl": lambda: Elementwise(sqnl),
    "bipolar_relu": lambda: Elementwise(bipolar_relu),
    "gaussian": lambda: Elementwise(gaussian),
    "saturation": lambda bound=1.0: nn.Hardtanh(-bound, bound),
    "silu": nn.SiLU,
    "selu": nn.SELU,
    "maxout": lambda pieces=2: Maxout(int(pieces)),
}


def activation_layer(activation: str) -> nn.Module:
    """Make an activation by name, optionally with numbers: ``relu``, ``leaky_relu:0.2``.

    The numbers are: the slope below zero of ``leaky_relu``, and the initial one of ``prelu``; the
    range (lower:upper) of that slope in ``rrelu``; alpha in ``elu``, ``isru`` and ``isrlu``; beta
    in ``softplus``; the bound of ``saturation``; the number of ``pieces`` per unit of ``maxout``.

    Raises UserError for an unknown name, with the nearest ones, and for numbers that the activation
    does not take.
    """
    name, *numbers = activation.split(":")
    if name not in ACTIVATIONS:
        raise UserError(f"activation={activation} is not known; {nearest(name, ACTIVATIONS)}")
    make = ACTIVATIONS[name]
    takes = list(signature(make).parameters) if isfunction(make) else []  # torch's classes: none
    try:
        if len(numbers) in (0, len(takes)):
            return make(*map(float, numbers))
    except ValueError:  # not a number
        pass
    spelled = "".join(f":<{number}>" for number in takes)
    raise UserError(
        f"activation={activation} is not allowed: {name} takes "
        f"{' and '.join(takes) or 'no number'}.\nType activation={name}{spelled}"
    )


def pieces(activation: str) -> int:
    """Return the number of inputs that an activation takes per unit: k for ``maxout:k``, else 1."""
    layer = activation_layer(activation)
    return layer.pieces if isinstance(layer, Maxout) else 1


def gain(activation: str) -> float:
    """Return the factor of the weights that keeps the second moment of signals at 1.

    It is 1 / sqrt(E f(z)^2) for standard normal z: sqrt(2) for ReLU, sqrt(2 / (1 + a^2)) for leaky
    ReLU of slope a, 1 for the identity.

    Reference: He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015, section 2.2, whose
    argument for ReLU and leaky ReLU holds for any f.
    Departs from PyTorch, whose ``calculate_gain`` returns rules of thumb for some activations: 5/3
    for tanh, 3/4 for SELU and 1 for the sigmoid instead of 1.593, 1.000 and 1.846.
    """
    outputs, density = _values_and_density(activation, units=1)
    second_moment = (outputs**2 * density).sum() / density.sum()
    return float(second_moment.rsqrt())


def centred_gain(activation: str) -> float:
    """Return the factor that keeps the variance of signals at 1 if weights add up to zero.

    The mean of the activation cancels in the sum over such weights, so the factor is 1 / sqrt(Var
    f(z)) for standard normal z: sqrt(2 / (1 - 1 / pi)) = 1.7139 for ReLU.

    Reference: Brock, De, Smith, "Characterizing signal propagation to close the performance gap in
    unnormalized ResNets", ICLR 2021, section 4.1.
    """
    outputs, density = _values_and_density(activation, units=2)  # two, for bipolar ReLU
    mean = (outputs * density).sum() / (2 * density.sum())
    variance = ((outputs - mean) ** 2 * density).sum() / (2 * density.sum())
    return float(variance.rsqrt())


@torch.no_grad()
def _values_and_density(activation: str, units: int) -> tuple[Tensor, Tensor]:
    """Return an activation's values (100,001, units) and their densities (100,001, 1).

    The inputs are standard normal, and the densities are not normalised. The density of the largest
    of k numbers is that of one number times the probability that the k - 1 others are smaller.
    """
    z = torch.linspace(-12, 12, 100_001, dtype=torch.float64).unsqueeze(1)
    density = torch.exp(-z * z / 2)
    layer = activation_layer(activation).double().eval()
    if isinstance(layer, Maxout):
        smaller = (1 + torch.erf(z / math.sqrt(2))) / 2
        return z.expand(-1, units), density * smaller ** (layer.pieces - 1)
    return layer(z.expand(-1, units)), density
