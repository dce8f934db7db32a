"""Polynomial regression, a model that is linear in its coefficients."""

import math
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn


class Polynomial(nn.Module):
    """Fits w_0 + w_1 x + ... + w_M x^M; for several features, a sum of one polynomial each.

    Input (N, *input_shape) of D values, output (N, output_size). There are no products of
    different features. With order 0 it is the constant w_0.

    order: the highest power M.

    Reference: Bishop, "Pattern Recognition and Machine Learning", 2006, sections 1.1 and 3.1.
    """

    def __init__(self, input_shape: tuple[int, ...], output_size: int, *, order: int) -> None:
        super().__init__()
        self.order = order
        count = order * math.prod(input_shape)
        self.output = nn.Linear(count, output_size) if count else Constant(output_size)

    def features(self, inputs: Tensor) -> Tensor:
        """Return x, x^2, ..., x^M of every value (N, D M)."""
        repeated = inputs.flatten(1).unsqueeze(2).expand(-1, -1, self.order)
        return torch.cumprod(repeated, dim=2).flatten(1)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.output(self.features(inputs))  # (N, output_size)

    def for_export(self) -> "Polynomial":
        """Return a copy that multiplies one power after the other: ONNX has no ``cumprod``."""
        model: Any = deepcopy(self)
        model.__class__ = PolynomialByProducts
        return model

    def coefficients(self, mean: Tensor, scale: Tensor) -> Tensor:
        """Return the coefficients (output_size, 1 + D M) for the raw input x, in float64.

        w_0 first, then w_1, ..., w_M of each feature. The model sees (x - mean) scale, whose powers
        are expanded. mean and scale: one number for each feature, or one for all.
        """
        bias, weights = self.output.bias.cpu().double(), self.output.weight.cpu().double()
        if self.order == 0:
            return bias[:, None]
        features = weights.shape[1] // self.order
        shifts, factors = (
            one.cpu().double().flatten().expand(features).tolist() for one in (-mean * scale, scale)
        )
        rows, constant = [], bias.clone()
        for own, shift, factor in zip(
            weights.chunk(features, 1), shifts, factors, strict=True
        ):  # (output_size, M)
            powers = torch.zeros(self.order, self.order + 1, dtype=torch.float64)
            for m in range(1, self.order + 1):  # (shift + factor x)^m by the binomial theorem
                for k in range(m + 1):
                    powers[m - 1, k] = math.comb(m, k) * shift ** (m - k) * factor**k
            raw = own @ powers  # (output_size, M + 1)
            constant += raw[:, 0]
            rows.append(raw[:, 1:])
        return torch.cat([constant[:, None], *rows], 1)


class PolynomialByProducts(Polynomial):
    """The same polynomial, whose powers are products of the power before and the input."""

    def features(self, inputs: Tensor) -> Tensor:
        powers = [inputs.flatten(1)]
        for _ in range(1, self.order):
            powers.append(powers[-1] * powers[0])
        return torch.stack(powers, 2).flatten(1)  # (N, D M)


class Constant(nn.Linear):
    """Maps no features (N, 0) to its bias (N, out_features); it has no weights."""

    def __init__(self, out_features: int) -> None:
        super().__init__(0, out_features)
        del self.weight
        self.register_buffer("weight", torch.empty(out_features, 0))

    def reset_parameters(self) -> None:
        """Set the bias to 0, because without inputs there is no range to draw from."""
        nn.init.zeros_(self.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.new_zeros(inputs.shape[0], 1) + self.bias
