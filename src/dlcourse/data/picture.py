"""Pictures as tensors."""

from torch import Tensor
from torch.nn import functional as F


def resize(pictures: Tensor, size: int) -> Tensor:
    """Bring uint8 pictures (N, C, H, W) to (N, C, size, size), bilinear and antialiased."""
    if pictures.shape[-2:] == (size, size):
        return pictures
    resized = F.interpolate(
        pictures.float(), (size, size), mode="bilinear", align_corners=False, antialias=True
    )
    return resized.round().clamp(0, 255).byte()
