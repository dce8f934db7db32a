"""The Vision Transformer, which sees an image as a sequence of patches."""

import math

import torch
from torch import Tensor, nn

from dlcourse.errors import UserError
from dlcourse.layer.activation import activation_layer, pieces
from dlcourse.layer.attention import SelfAttention
from dlcourse.layer.image import image_shape, is_small

MIN_SIZE = 4  # one patch of a small image
NORM_EPS = 1e-6  # added to the variance in layer norm, as published


class ViT(nn.Module):
    """Classifies an image by self-attention between its patches and a class token.

    Input (N, C, H, W) with H and W multiples of the patch, output (N, output_size). With width
    768, depth 12, 12 heads and patches of 16 it is ViT-B/16: 86,567,656 parameters at 224 x 224
    and 1000 classes.

    patch: side of a patch in pixels; None is 4 for images below 64 pixels, else 16.
    width: size of a token. depth: number of blocks. hidden: units of the MLP in each block.
    positions: ``learned``; ``sinusoidal``: fixed sine waves of row and column; or
        ``sinusoidal_1d``: fixed sine waves of the position in the sequence, row after row.
    dropout: on the embedded tokens and after every linear layer but the attention's first.

    Raises UserError for images that do not divide into patches, for a width that does not
    divide among the heads, and for inputs that are not images.

    Reference: Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021. The sinusoidal
    positions in two dimensions are those of Chen, Xie, He, "An empirical study of training
    self-supervised vision transformers", ICCV 2021, after those in one dimension of Vaswani et al.,
    "Attention is all you need", NeurIPS 2017, section 3.5.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        patch: int | None,
        width: int,
        depth: int,
        heads: int,
        hidden: int,
        positions: str,
        activation: str,
        dropout: float,
    ) -> None:
        super().__init__()
        channels, height, width_in_pixels = image_shape("vit", input_shape, MIN_SIZE)
        if patch is None:
            patch = 4 if is_small(height, width_in_pixels) else 16
        rows, columns = patch_grid(height, width_in_pixels, patch)
        self.embedding = nn.Conv2d(channels, width, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        if positions == "learned":
            self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + rows * columns, width))
        elif positions == "sinusoidal":
            self.register_buffer("positions", waves(rows, columns, width))
        else:
            self.register_buffer("positions", waves_in_a_row(1 + rows * columns, width))
        self.dropout = dropout_layer(dropout)
        self.blocks = nn.Sequential(
            *(EncoderBlock(width, heads, hidden, activation, dropout) for _ in range(depth))
        )
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.output = nn.Linear(width, output_size)
        self.start()

    def start(self) -> None:
        """Draw the published initial weights: Xavier's, and zeros for the output layer."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        patch_values = self.embedding.weight[0].numel()
        nn.init.trunc_normal_(self.embedding.weight, std=1 / math.sqrt(patch_values))
        assert self.embedding.bias is not None
        nn.init.zeros_(self.embedding.bias)
        nn.init.zeros_(self.output.weight)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.embedding(images).flatten(2).transpose(1, 2)  # (N, patches, width)
        first = self.class_token.expand(patches.shape[0], -1, -1)
        tokens = torch.cat([first, patches], dim=1) + self.positions  # (N, 1 + patches, width)
        tokens = self.norm(self.blocks(self.dropout(tokens)))
        return self.output(tokens[:, 0])  # (N, output_size)


class EncoderBlock(nn.Module):
    """Applies self-attention to tokens (N, T, width), then an MLP to each token.

    Both are residual branches, and a layer norm precedes each of them (pre-norm).
    """

    def __init__(
        self, width: int, heads: int, hidden: int, activation: str, dropout: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attention = SelfAttention(width, heads)
        self.dropout = dropout_layer(dropout)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = nn.Sequential(
            nn.Linear(width, pieces(activation) * hidden),
            activation_layer(activation),
            dropout_layer(dropout),
            nn.Linear(hidden, width),
            dropout_layer(dropout),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.dropout(self.attention(self.norm1(tokens)))
        every = self.norm2(tokens).flatten(0, 1)  # (N T, width)
        return tokens + self.mlp(every).view_as(tokens)


def dropout_layer(probability: float) -> nn.Module:
    """Make dropout, or the identity for a probability of 0."""
    return nn.Dropout(probability) if probability > 0 else nn.Identity()


def patch_grid(height: int, width: int, patch: int) -> tuple[int, int]:
    """Return the rows and columns of patches; raises UserError if pixels are left over."""
    if height % patch or width % patch:
        fitting = max(side for side in range(1, patch) if height % side == width % side == 0)
        other = f" or model.patch={fitting}" if fitting > 1 else ""
        raise UserError(
            f"model=vit cuts images into patches of {patch} x {patch}, and {height} x {width} "
            f"leaves pixels over.\nType data.size={math.ceil(max(height, width) / patch) * patch}"
            f"{other}"
        )
    return height // patch, width // patch


def waves(rows: int, columns: int, width: int) -> Tensor:
    """Return a position embedding (1, 1 + rows columns, width); zero for the class token.

    One quarter of the values each are sine and cosine of the column, sine and cosine of the row,
    with wavelengths from 2 pi to almost 10,000 x 2 pi patches.
    """
    if width % 4:
        raise UserError(
            f"model.positions=sinusoidal needs a multiple of 4 numbers, got model.width={width}.\n"
            f"Type model.width={math.ceil(width / 4) * 4} or model.positions=learned"
        )
    frequencies = 10_000 ** (-torch.arange(width // 4) / (width // 4))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [place.flatten().unsqueeze(1) * frequencies for place in (column, row)]
    patches = torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)
    return torch.cat([torch.zeros(1, width), patches]).unsqueeze(0)


def waves_in_a_row(tokens: int, width: int) -> Tensor:
    """Return a position embedding (1, tokens, width) of alternating sines and cosines.

    Values 2 j and 2 j + 1 are sin and cos of i / 10,000^(2 j / width) at position i; the class
    token is at position 0.

    Reference: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.
    """
    if width % 2:
        raise UserError(
            f"model.positions=sinusoidal_1d needs an even number, got model.width={width}.\n"
            f"Type model.width={width + 1} or model.positions=learned"
        )
    frequencies = 10_000 ** (-torch.arange(0, width, 2) / width)  # (width / 2,)
    angles = torch.arange(tokens).unsqueeze(1) * frequencies  # (tokens, width / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1).unsqueeze(0)
