"""A spatial transformer in front of LeNet-5."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.layer.activation import activation_layer, pieces
from dlcourse.layer.image import image_shape
from dlcourse.layer.pool import pool_layer
from dlcourse.model.lenet import LeNet5

MIN_SIZE = 28
MAPS = 20  # of both convolutions of the localisation network; also its hidden units


class SpatialTransformer(nn.Module):
    """Applies a learned affine map to each image, then classifies it.

    Input (N, C, H, W) with H and W at least 28, output (N, output_size). A small localisation
    network predicts the six numbers of an affine map for each image; the image is resampled on the
    transformed grid. The first map is the identity for every ``init``, because the weights of the
    last layer of the localisation network are plain parameters, which no initializer changes.

    pool: in both networks. norm, dropout: in LeNet-5.

    Raises UserError for smaller images and for inputs that are not images.

    Reference: Jaderberg, Simonyan, Zisserman, Kavukcuoglu, "Spatial transformer networks",
    NeurIPS 2015.
    Departs from it: LeNet-5 is the classifier, and pixels beyond the border repeat the border
    instead of being 0, because 0 is grey after standardisation.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        activation: str,
        pool: str,
        norm: str,
        dropout: float,
    ) -> None:
        super().__init__()
        channels, height, width = image_shape("stn", input_shape, MIN_SIZE)
        rows, columns = ((size // 2 - 4) // 2 - 4 for size in (height, width))
        seen = pieces(activation) * MAPS
        self.localisation = nn.Sequential(
            pool_layer(pool, 2),
            nn.Conv2d(channels, seen, 5),
            activation_layer(activation),
            pool_layer(pool, 2),
            nn.Conv2d(MAPS, seen, 5),
            activation_layer(activation),
            nn.Flatten(),
            nn.Linear(MAPS * rows * columns, seen),
            activation_layer(activation),
        )
        self.map_weight = nn.Parameter(torch.zeros(MAPS, 6))
        self.map_bias = nn.Parameter(torch.eye(2, 3).flatten())
        self.classifier = LeNet5(
            input_shape, output_size, activation=activation, pool=pool, norm=norm, dropout=dropout
        )

    def affine(self, images: Tensor) -> Tensor:
        """Return each image's map (N, 2, 3) from output to input coordinates in [-1, 1]."""
        seen = self.localisation(images)  # (N, 20)
        return (seen @ self.map_weight + self.map_bias).unflatten(1, (2, 3))

    def transform(self, images: Tensor) -> Tensor:
        """Return the resampled images (N, C, H, W), which are the classifier's inputs."""
        grid = F.affine_grid(self.affine(images), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.transform(images))  # (N, output_size)
