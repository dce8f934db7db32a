"""torchvision's networks by name, with their published weights."""

from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from dlcourse.errors import UserError, nearest

OWN_DEFAULTS = {  # networks with auxiliary classifiers and slow initialisation
    name: {"aux_logits": False, "init_weights": False} for name in ("googlenet", "inception_v3")
}


@torch.no_grad()
def failure_on(net: nn.Module, image: Tensor) -> Exception | None:
    """Return the error with which a network refuses an image (1, C, H, W), or None.

    The network is evaluated, and is in training mode afterwards.
    """
    net.eval()
    try:
        net(image)
    except (RuntimeError, ValueError, AssertionError) as error:
        return error
    net.train()
    return None


def weights_of(name: str) -> dict:
    """Return a network's published weights by name; raises UserError for an unknown network."""
    from torchvision import models  # takes 1 s

    known = models.list_models(module=models)
    if name not in known:
        raise UserError(
            f"model.name={name} is not a classifier in torchvision; {nearest(name, known)}\n"
            "https://docs.pytorch.org/vision/stable/models.html lists them"
        )
    return dict(models.get_model_weights(name).__members__)


def published(name: str, weights: str | None) -> nn.Module:
    """Build a network of torchvision; raises UserError if its weights are not available."""
    from torchvision import models

    known = weights_of(name)
    if weights is None:
        return models.get_model(name, **OWN_DEFAULTS.get(name, {}))
    if weights not in known:
        raise UserError(
            f"model.weights={weights} does not exist for {name}; {nearest(weights, known)}\n"
            "Type one of them, a file such as model.weights=weights.pth, or model.weights=null for "
            "random weights"
        )
    url = known[weights].url
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    try:
        net: Any = models.get_model(name, weights=known[weights])
    except (OSError, HTTPException, RuntimeError, EOFError, UnpicklingError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if file.exists():
            raise UserError(
                f"{file} is damaged: {reason}\nDelete it, and the next start downloads it again"
            ) from error
        raise UserError(
            f"{name}'s weights could not be downloaded from {url}: {reason}\n"
            f"Put the file into {file.parent}, set TORCH_HOME to a folder that has it in "
            "hub/checkpoints, or type model.weights=null"
        ) from error
    if getattr(net, "aux_logits", False):  # Inception v3 has it whenever it has weights
        net.aux_logits, net.AuxLogits = False, None
    return net
