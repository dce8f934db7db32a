"""Activations by name, as in ``model.activation=gelu``."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dlcourse.error import UserError, nearest


class Elementwise(nn.Module):
    """A function as a layer; shapes stay as they are."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, inputs: Tensor) -> Tensor:
        return self.function(inputs)

    def extra_repr(self) -> str:
        """Show the function's name where the model is printed."""
        return self.function.__name__


def heaviside(x: Tensor) -> Tensor:
    """Return 1 where x > 0, else 0.

    Its derivative is zero everywhere, so the gradient is passed straight through where |x| <= 1.
    Reference: Bengio, Leonard, Courville, "Estimating or propagating gradients through stochastic
    neurons", 2013.
    """
    return _straight_through((x > 0).to(x.dtype), x)


def sign(x: Tensor) -> Tensor:
    """Return -1, 0 or 1; the gradient is passed straight through where |x| <= 1, as above."""
    return _straight_through(torch.sign(x), x)


def isru(x: Tensor) -> Tensor:
    """Return x / sqrt(1 + x^2), the inverse square root unit with alpha = 1.

    Reference: Carlile, Delamarter, Kinney, Marti, Whitney, "Improving deep learning by inverse
    square root linear units", 2017.
    """
    return x * torch.rsqrt(1 + x * x)


def isrlu(x: Tensor) -> Tensor:
    """Return x where x >= 0, else x / sqrt(1 + x^2); same paper as ``isru``."""
    return torch.where(x >= 0, x, isru(x))


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


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "heaviside": lambda: Elementwise(heaviside),
    "sign": lambda: Elementwise(sign),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "arctan": lambda: Elementwise(torch.arctan),
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "rrelu": nn.RReLU,
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "isru": lambda: Elementwise(isru),
    "isrlu": lambda: Elementwise(isrlu),
    "sqnl": lambda: Elementwise(sqnl),
    "bipolar_relu": lambda: Elementwise(bipolar_relu),
    "gaussian": lambda: Elementwise(gaussian),
    "saturation": nn.Hardtanh,
    "silu": nn.SiLU,
    "selu": nn.SELU,
}


def activation_layer(name: str) -> nn.Module:
    """Make the activation of the given name; raises UserError with the nearest names."""
    if name not in ACTIVATIONS:
        raise UserError(f"activation={name} is not known; {nearest(name, ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def gain(name: str) -> float:
    """Return by how much weights must grow to keep the size of signals through an activation.

    It is 1 / sqrt(E f(z)^2) for standard normal z: sqrt(2) for ReLU, 1 for the identity.

    Reference: He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015, section 2.2, whose
    argument for ReLU and leaky ReLU holds for any f.
    Departs from PyTorch, whose ``calculate_gain`` has rules of thumb for some: 5/3 for tanh, 3/4
    for SELU and 1 for the sigmoid, where this gives 1.593, 1.000 and 1.846.
    """
    z, density = _standard_normal()
    with torch.no_grad():
        layer = activation_layer(name).double().eval()
        second_moment = (layer(z) ** 2 * density).sum() / density.sum()
    return float(second_moment.rsqrt())


def centred_gain(name: str) -> float:
    """Return by how much weights that add up to zero must grow to keep the size of signals.

    Such weights see nothing of the activation's mean, so it is 1 / sqrt(Var f(z)) for standard
    normal z: sqrt(2 / (1 - 1 / pi)) = 1.7139 for ReLU.

    Reference: Brock, De, Smith, "Characterizing signal propagation to close the performance gap in
    unnormalized ResNets", ICLR 2021, section 4.1.
    """
    z, density = _standard_normal()
    with torch.no_grad():
        layer = activation_layer(name).double().eval()
        outputs = layer(z.expand(-1, 2))  # two units, because bipolar ReLU treats them in pairs
        mean = (outputs * density).sum() / (2 * density.sum())
        variance = ((outputs - mean) ** 2 * density).sum() / (2 * density.sum())
    return float(variance.rsqrt())


def _standard_normal() -> tuple[Tensor, Tensor]:
    """Return points (100,001, 1) and their densities, not normalised."""
    z = torch.linspace(-12, 12, 100_001, dtype=torch.float64).unsqueeze(1)
    return z, torch.exp(-z * z / 2)
