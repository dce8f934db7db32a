"""Where a transformer looks: the attention of the class token, head by head, and its rollout."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.drawing.image_grid import blended, draw_image_grid, in_colours
from dlcourse.errors import UserError
from dlcourse.introspect.displayed import displayed
from dlcourse.layer.attention import SelfAttention
from dlcourse.look.attribution import HEAT
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.subject import Drawing, Subject


@torch.no_grad()
def attention_weights(network: nn.Module, run: Callable[[], Any]) -> dict[str, Tensor]:
    """Return the weights (N, heads, T, T) of each attention layer, by its name.

    run: runs the network once, in evaluation mode.
    Row q of a matrix holds the weights with which token q takes the values of all tokens. The
    weights are computed again from the layer's input, so that ``forward`` keeps its fast path;
    PyTorch's own layer is made to return them.
    """
    found: dict[str, Tensor] = {}
    with ExitStack() as stack:
        for name, module in network.named_modules():
            if isinstance(module, SelfAttention):

                def recompute(module: nn.Module, given: Any, _: Any, name: str = name) -> None:
                    assert isinstance(module, SelfAttention)
                    found[name] = module.weights(given[0])

                stack.callback(module.register_forward_hook(recompute).remove)
            if isinstance(module, nn.MultiheadAttention):

                def want(_: nn.Module, given: Any, named: dict) -> tuple[Any, dict]:
                    return given, named | {"need_weights": True, "average_attn_weights": False}

                def keep(_: nn.Module, given: Any, output: Any, name: str = name) -> None:
                    found[name] = output[1]

                stack.callback(module.register_forward_pre_hook(want, with_kwargs=True).remove)
                stack.callback(module.register_forward_hook(keep).remove)
        run()
    return found


def rollout(layers: Sequence[Tensor]) -> Tensor:
    """Return how much of each input token is in each output token (N, T, T), through all layers.

    In a layer a token keeps one half of itself, by the residual connection, and takes the other
    half as the mean over the heads (N, heads, T, T) says; the matrices are multiplied.

    Reference: Abnar, Zuidema, "Quantifying attention flow in transformers", ACL 2020, section 3.
    """
    total = torch.eye(layers[0].shape[-1], device=layers[0].device)
    for weights in layers:
        total = (0.5 * weights.mean(1) + 0.5 * torch.eye(weights.shape[-1]).to(weights)) @ total
    return total


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw a row for each image: the image, each head of a block, their mean, and the rollout."""
    if not any(
        isinstance(m, SelfAttention | nn.MultiheadAttention) for m in subject.network.modules()
    ):
        raise NotApplicableError("what=attention needs attention, such as that of model=vit")
    if not subject.of_images:
        raise NotApplicableError("what=attention needs images")
    examples = subject.examples(options)
    weights = attention_weights(subject.network, lambda: subject.outputs(examples.inputs))
    names = list(weights)
    block = len(names) - 1 if options["block"] is None else options["block"]
    if block >= len(names):
        raise UserError(f"block={block} does not exist: the model has blocks 0 to {len(names) - 1}")
    heads = weights[names[block]]  # (N, heads, T, T)
    grid = token_grid(subject, heads.shape[-1])
    shown = [*heads.unbind(1), heads.mean(1), rollout(list(weights.values()))]
    titles = [*(f"head {number}" for number in range(heads.shape[1])), "mean of heads", "rollout"]
    maps = [to_patches(one, grid).float().cpu().numpy() for one in shown]
    images, labels = [], []
    for row, image in enumerate(displayed(examples.inputs)):
        images.append(image if image.ndim == 3 else in_colours(image, "gray", 0, 1))
        images += [laid_over(image, one[row]) for one in maps]
        labels += [examples.labels[row].replace(": ", "\n"), *titles]
    title = (
        f"attention of the class token in block {block} (0 to {len(names) - 1}); bright is strong"
    )
    figure = draw_image_grid(images, labels, columns=1 + len(maps), title=title)
    used = ", ".join(f"{patches_used(one):.0f}" for one in maps[:-2])
    seen = (
        f"{names[block]}: the class token's heads look at {used} of {grid[0] * grid[1]} patches "
        "(exponential of the entropy)"
    )
    return [Drawing(f"block{block}", [figure], seen)]


def token_grid(subject: Subject, tokens: int) -> tuple[int, int]:
    """Return the rows and columns of patches of a sequence, with or without a class token.

    They are those of a layer of maps with as many positions, the patch embedding.
    """
    for layer in subject.layers:
        if len(layer.shape) == 3 and layer.shape[1] * layer.shape[2] in (tokens, tokens - 1):
            return layer.shape[1], layer.shape[2]
    side = int((tokens - 1) ** 0.5)
    if side * side == tokens - 1:
        return side, side
    raise NotApplicableError(f"what=attention cannot place the {tokens} tokens on the image")


def to_patches(weights: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return the weights (N, rows, columns) of the class token, or the mean over all tokens.

    weights: (N, T, T). Without a class token every token's weights count the same.
    """
    patches = grid[0] * grid[1]
    own = weights[:, 0, 1:] if weights.shape[-1] == patches + 1 else weights.mean(1)
    return own.unflatten(1, grid)


def laid_over(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return an image with weights (rows, columns) laid over it, each patch in one colour."""
    height, width = image.shape[:2]
    row = np.arange(height) * weights.shape[0] // height
    column = np.arange(width) * weights.shape[1] // width
    large = weights[row][:, column]
    share = large / max(float(large.max()), 1e-30)
    return blended(image, in_colours(share, HEAT, 0, 1), 0.85 * share**0.5)


def patches_used(weights: np.ndarray) -> float:
    """Return the exponential of the entropy of weights (N, rows, columns), averaged over images."""
    share = weights.reshape(len(weights), -1)
    share = share / share.sum(1, keepdims=True)
    return float(np.exp(-(share * np.log(share.clip(1e-30))).sum(1)).mean())
