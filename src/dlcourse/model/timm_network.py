"""timm's networks by name, with their published weights."""

import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import signature
from typing import Any

from torch import Tensor, nn

from dlcourse.errors import UserError, nearest
from dlcourse.terminal.extras import require
from dlcourse.terminal.live_line import working

FROM_THE_DATA = {
    "in_chans": ("channels", "data.channels=1 or data.channels=3"),
    "num_classes": ("classes", "data=<another data set>"),
    "img_size": ("size", "data.size=<pixels>, or model.size=<pixels> to resize the images"),
}
"""Arguments that the data decide about, each with what it is and what to type instead."""

NOT_OPTIONS = (
    "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir",
    "features_only", "model_name", "scriptable", "exportable", "no_jit",
)  # fmt: skip


def refuse_unknown(name: str) -> None:
    """Raise UserError for a name that timm does not list."""
    timm = require("timm", "model=timm")
    base, _, tag = name.partition(".")
    known = timm.list_models()
    if base not in known:
        raise UserError(
            f"model.name={name} is not a network of timm; {nearest(base, known)}\n"
            f"Type python -c 'import timm; print(timm.list_models(\"*{base[:6]}*\"))' for a list"
        )
    tagged = timm.list_models(f"{base}.*", pretrained=True)
    if tag and name not in tagged:
        raise UserError(
            f"model.name={name}: {base} has no published weights of this name; "
            f"{nearest(name, tagged)}\nType one of them, or model.name={base}"
        )


def default_size(name: str) -> int:
    """Return the side in pixels of the images for which a network was made."""
    cfg = require("timm", "model=timm").get_pretrained_cfg(name)
    return (getattr(cfg, "input_size", None) or (3, 224, 224))[1]


def make_network(
    name: str, sides: tuple[int, int], given: dict[str, Any], *, pretrained: bool
) -> tuple[nn.Module, str]:
    """Build a network for images (height, width); return it and where its weights are from.

    given: its arguments. Raises UserError for one that it does not take, for a size that it cannot
    take, and for published weights that are not available.
    """
    net, given = random_network(name, sides, given)
    patch = getattr(getattr(net, "patch_embed", None), "patch_size", None)
    if patch is not None and any(side % one for side, one in zip(sides, patch, strict=False)):
        reason = f"it cuts them into patches of {patch[0]} x {patch[1]} pixels"
        raise UserError(wrong_size(name, sides, reason, multiple=patch[0]))
    return published_network(name, given, net) if pretrained else (net, "")


def refuse_reserved(options: Mapping[str, Any]) -> None:
    """Raise UserError for options that dlcourse passes itself, and those that are none."""
    for option in options:
        if option in NOT_OPTIONS:
            raise UserError(
                f"model.options={{{option}: ...}} is not an argument of the network.\n"
                "Type model.pretrained=true for published weights, model.weights=<file> for a file"
            )
        if option in FROM_THE_DATA:
            what, remedy = FROM_THE_DATA[option]
            raise UserError(
                f"model.options={{{option}: ...}} is not allowed: the data have their own {what}.\n"
                f"Type {remedy}"
            )


def random_network(
    name: str, sides: tuple[int, int], given: dict[str, Any]
) -> tuple[nn.Module, dict[str, Any]]:
    """Build a network with random weights; return it and all its arguments.

    It gets the size of the images if it takes one.
    """
    timm = require("timm", "model=timm")
    sized = {**given, "img_size": sides[0] if sides[0] == sides[1] else sides}
    try:
        return timm.create_model(name, **sized), sized
    except TypeError as error:
        if unexpected(error) != "img_size":
            raise wrong_option(name, error) from error
    except (RuntimeError, ValueError, AssertionError, ArithmeticError) as error:
        raise UserError(wrong_size(name, sides, error)) from error
    except (AttributeError, LookupError) as error:
        raise wrong_option(name, error) from error
    try:
        return timm.create_model(name, **given), given
    except (TypeError, ValueError, AttributeError, LookupError, AssertionError) as error:
        raise wrong_option(name, error) from error


def unexpected(error: Exception) -> str:
    """Return the name of the argument that a function does not take; empty for other errors."""
    found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    return found[1] if found else ""


def wrong_option(name: str, error: Exception) -> UserError:
    """Return the error for an argument that a network does not take, or takes with other values."""
    option = unexpected(error)
    if not option:
        return UserError(
            f"timm's {name} cannot be built with these model.options: {error}\n"
            "Type other values, or model.options=null"
        )
    network = type(require("timm", "model=timm").create_model(name))
    known = [one for one in signature(network.__init__).parameters if one != "self"]
    known = [one for one in known if one not in FROM_THE_DATA]
    return UserError(
        f"model.options={{{option}: ...}}: timm's {name} has no such argument; "
        f"{nearest(option, known)}\nType for example 'model.options={{drop_rate: 0.1}}'"
    )


def wrong_size(
    name: str, sides: tuple[int, int], reason: object, multiple: int | None = None
) -> str:
    """Return the message for images of a size that a network cannot take."""
    lines = (str(reason) or type(reason).__name__).splitlines()
    own = default_size(name)
    also = f", or a multiple of {multiple}" if multiple else ""
    return (
        f"timm's {name} cannot take images of {sides[0]} x {sides[1]}: {lines[0]}.\n"
        f"Type model.size={own}, to which they are then resized{also}"
    )


def published_network(
    name: str, given: Mapping[str, Any], random: nn.Module
) -> tuple[nn.Module, str]:
    """Build a network with its published weights; return it and where they are from.

    random: the same network, whose weights show how long the download may take.
    Raises UserError if there are none, or if they cannot be downloaded.
    """
    timm = require("timm", "model=timm")
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None or not cfg.has_weights:
        raise UserError(
            f"timm has no published weights for {name}.\n"
            "Type model.pretrained=false, or another model.name"
        )
    place = cfg.hf_hub_id or cfg.url
    megabytes = sum(one.numel() for one in random.parameters()) * 4 / 1e6
    try:
        with working(f"weights of {name}, about {megabytes:,.0f} MB, from {place}"):
            net = timm.create_model(name, pretrained=True, **given)
    except (OSError, RuntimeError, ValueError) as error:
        reason = (" ".join(str(error).split()) or type(error).__name__)[:300]
        raise UserError(
            f"The weights of timm's {name} (about {megabytes:,.0f} MB, from {place}) cannot be "
            f"loaded: {reason}\n"
            "Type model.pretrained=false, or model.weights=<file> for a file that you have; "
            "HF_HOME names the folder where downloads are kept"
        ) from error
    return net, f"{cfg.architecture}.{cfg.tag} of timm, licence {cfg.license or 'unknown'}"


def heads_of(net: nn.Module) -> tuple[str, ...]:
    """Return the names of a network's output layers."""
    heads = (getattr(net, "pretrained_cfg", None) or {}).get("classifier") or ()
    return (heads,) if isinstance(heads, str) else tuple(heads)


def adapter_of(net: nn.Module, channels: int) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    """Return what adapts tensors of a file to a network: old names, image size, channels."""
    filter_file = getattr(sys.modules[type(net).__module__], "checkpoint_filter_fn", None)
    cfg = getattr(net, "pretrained_cfg", None) or {}
    first = cfg.get("first_conv") or ()
    names = [f"{one}.weight" for one in ((first,) if isinstance(first, str) else first)]

    def adapt(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        if filter_file is not None:
            with suppress(KeyError, RuntimeError, ValueError, AssertionError, TypeError):
                tensors = filter_file(tensors, net)  # fails for a file of another network
        from timm.models import adapt_input_conv

        for name in names:
            if name in tensors and tensors[name].shape[1] == 3 != channels:
                tensors = {**tensors, name: adapt_input_conv(channels, tensors[name])}
        return tensors

    return adapt
