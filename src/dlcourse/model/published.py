"""Torchvision's networks by name, with the weights that were published for them."""

from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError
from urllib.parse import urlparse

import torch
from torch import nn

from dlcourse.errors import UserError, nearest

OWN_DEFAULTS = {  # nets with a second classifier half way, and with a slow draw of weights
    name: {"aux_logits": False, "init_weights": False} for name in ("googlenet", "inception_v3")
}


def weights_of(name: str) -> dict:
    """Return the published weights of a network, their names first; raises UserError."""
    from torchvision import models  # 1 s, and only for those who choose it

    known = models.list_models(module=models)
    if name not in known:
        raise UserError(
            f"model.name={name} is no classifier of torchvision's; {nearest(name, known)}\n"
            "https://docs.pytorch.org/vision/stable/models.html lists them"
        )
    return dict(models.get_model_weights(name).__members__)


def published(name: str, weights: str | None) -> nn.Module:
    """Make torchvision's own network; raises UserError where its weights cannot be had."""
    from torchvision import models

    known = weights_of(name)
    if weights is None:
        return models.get_model(name, **OWN_DEFAULTS.get(name, {}))
    if weights not in known:
        raise UserError(
            f"model.weights={weights} is no set of {name}'s; {nearest(weights, known)}\n"
            "Type one of them, or model.weights=null for random ones"
        )
    url = known[weights].url
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    try:
        net = models.get_model(name, weights=known[weights])
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
    if getattr(net, "aux_logits", False):  # Inception v3 keeps its second classifier otherwise
        net.aux_logits, net.AuxLogits = False, None
    return net
