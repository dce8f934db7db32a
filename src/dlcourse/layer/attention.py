"""Multi-head self-attention."""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.errors import UserError

SHORT_SEQUENCE = 256
"""The largest number of tokens for which the CPU uses plain matrix products. PyTorch's fused
attention takes ten times as long in bf16, mainly in its backward pass (65 tokens, 2 cores of an
Intel Xeon with AMX, 2026-11-21; equal in fp32); for long sequences it saves memory."""


class SelfAttention(nn.Module):
    """Replaces every token by a weighted mean of the values of all tokens.

    Maps tokens (N, T, width) to the same shape. A linear layer computes a query, a key and a value
    for every token; each of the ``heads`` computes
    softmax(query key' / sqrt(width / heads)) value on its own ``width / heads`` components.

    Raises UserError if the width is not a multiple of the number of heads.

    Reference: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            fitting = max(count for count in range(1, heads) if width % count == 0)
            raise UserError(
                f"model.width={width} cannot be divided among model.heads={heads}.\n"
                f"Type model.heads={fitting} or model.width={math.ceil(width / heads) * heads}"
            )
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def split(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each (N, heads, T, size), of tokens (N, T, width)."""
        qkv = self.qkv(tokens).unflatten(-1, (3, self.heads, -1))  # (N, T, 3, heads, size)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        return query, key, value

    def weights(self, tokens: Tensor) -> Tensor:
        """Return the attention weights (N, heads, T, T); every row adds up to 1.

        They are for inspection in a notebook; ``forward`` does not use this method.
        """
        query, key, _ = self.split(tokens)
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        return scores.softmax(-1)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.split(tokens)
        if tokens.device.type == "cpu" and tokens.shape[1] <= SHORT_SEQUENCE:
            query = query / math.sqrt(query.shape[-1])
            mixed = (query @ key.transpose(-2, -1)).softmax(-1) @ value  # (N, heads, T, size)
        else:
            mixed = F.scaled_dot_product_attention(query, key, value)  # (N, heads, T, size)
        return self.output(mixed.transpose(1, 2).flatten(2))  # (N, T, width)
