"""Self-attention, the layer by which tokens look at each other."""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.errors import UserError

SHORT_SEQUENCE = 256
"""Up to so many tokens the CPU multiplies matrices one after the other. In bf16 PyTorch's fused
attention, above all its backward pass, takes ten times as long (65 tokens, 2 cores of an Intel Xeon
with AMX, 2026-11-21; in fp32 both are alike); for long sequences it saves memory."""


class SelfAttention(nn.Module):
    """Replaces every token by a mean of all tokens' values, weighted by how well they match.

    Maps tokens (N, T, width) to the same. Every token asks with a query, is found by its key and
    hands out its value; each of the ``heads`` does so on its own ``width / heads`` numbers:
    softmax(query key' / sqrt(width / heads)) value.

    Raises UserError where the width cannot be divided among the heads.

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
        """Return queries, keys and values of tokens (N, T, width), each (N, heads, T, size)."""
        qkv = self.qkv(tokens).unflatten(-1, (3, self.heads, -1))  # (N, T, 3, heads, size)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        return query, key, value

    def weights(self, tokens: Tensor) -> Tensor:
        """Return how much each token takes of each: (N, heads, T, T), every row adds up to 1.

        It is for looking at; ``forward`` holds such a map in memory for short sequences alone.
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
