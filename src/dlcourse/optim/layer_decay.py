"""Learning rates that fall from a model's last layer to its first."""

from collections.abc import Iterator

from torch import nn

Lists = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def layer_factors(model: nn.Module, decay: float) -> dict[str, float]:
    """Return the factor decay^(distance from the last layer) of every parameter's rate, by name.

    Empty for a decay of 1.

    Reference: Clark, Luong, Le, Manning, "ELECTRA: pre-training text encoders as discriminators
    rather than generators", ICLR 2020, appendix A; Bao, Dong, Piao, Wei, "BEiT: BERT pre-training
    of image transformers", ICLR 2022, appendix.
    """
    if decay == 1:
        return {}
    layers = layers_of(model)
    return {
        name: decay ** (len(layers) - 1 - number)
        for number, names in enumerate(layers)
        for name in names
    }


def layers_of(model: nn.Module) -> list[list[str]]:
    """Return the names of the parameters of each layer, in the order in which the model made them.

    A layer is a module with a weight matrix or filters, or a whole block with several of them, such
    as a residual block. A norm belongs to the layer before it; after a block, to the layer after
    it. Parameters of the model itself, such as positions, belong to its first layer.
    """
    layers: list[list[str]] = []
    waiting: list[str] = []  # for the next layer
    after_block = True
    for module, names in parts_below("", model):
        if module is None or not matrices_in(module):
            (waiting if after_block else layers[-1]).extend(names)
        elif names:
            layers.append(waiting + names)
            waiting, after_block = [], matrices_in(module) > 1
    if waiting:
        layers[-1:] = [[*(layers[-1] if layers else []), *waiting]]
    return layers


def parts_below(prefix: str, module: nn.Module) -> Iterator[tuple[nn.Module | None, list[str]]]:
    """Yield every layer or block of a module with the names of its parameters.

    Lists, and modules that hold a list of blocks, are divided into their parts; their own
    parameters come first, without a module.
    """
    yield None, [f"{prefix}{name}" for name, _ in module.named_parameters(recurse=False)]
    for name, child in module.named_children():
        if isinstance(child, Lists) or holds_blocks(child):
            yield from parts_below(f"{prefix}{name}.", child)
        else:
            yield child, [f"{prefix}{name}.{own}" for own, _ in child.named_parameters()]


def holds_blocks(module: nn.Module) -> bool:
    """Return whether a module contains a list of two or more blocks."""
    lists = (part for part in module.modules() if isinstance(part, Lists))
    return any(sum(map(is_block, some.children())) > 1 for some in lists)


def is_block(module: nn.Module) -> bool:
    """Return whether a module has several weight matrices and is not a list."""
    return not isinstance(module, Lists) and matrices_in(module) > 1


def matrices_in(module: nn.Module) -> int:
    """Return the number of weight matrices and filters of a module."""
    return sum(weight.dim() > 1 for weight in module.parameters())
