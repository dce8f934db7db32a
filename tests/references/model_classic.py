"""The classic convolutional nets against torchvision's, and the small ones against nets by hand."""

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import torch
from references.row import Row
from torch import Tensor, nn

from dlcourse.engine.instantiate import build

# torchvision's names to ours, one after the other
RESNET = {f"layer{stage + 1}.": f"stages.{stage}." for stage in range(4)} | {
    ".conv1.": ".layers.0.", ".bn1.": ".layers.1.",
    ".conv2.": ".layers.3.", ".bn2.": ".layers.4.",
    ".conv3.": ".layers.6.", ".bn3.": ".layers.7.",
    ".downsample.": ".shortcut.",
    "conv1.": "stem.0.", "bn1.": "stem.1.", "fc.": "output.",
}  # fmt: skip
GOOGLENET = {
    "conv1.": "stem.0.", "conv2.": "stem.2.", "conv3.": "stem.3.", "fc.": "output.",
    **{f"inception{s}{'abcde'[i]}.": f"inception{s}.{i}." for s in (3, 4, 5) for i in range(5)},
    **{f"branch{path + 1}.": f"paths.{path}." for path in range(4)},
    "conv.": "0.", "bn.": "1.",
}  # fmt: skip


def renamed(state: dict[str, Tensor], names: dict[str, str]) -> dict[str, Tensor]:
    """Return weights under our names."""

    def rename(name: str) -> str:
        for theirs, ours in names.items():
            name = name.replace(theirs, ours)
        return name

    return {rename(name): value for name, value in state.items()}


def in_order(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a sequential net under our names."""
    return dict(zip(model.state_dict(), state.values(), strict=True))


def fill(model: nn.Module) -> None:
    """Give weights and statistics to a model without any, so that signals keep their size.

    All come from one list of random numbers, each tensor from another offset, because drawing 140
    million numbers takes seconds.
    """
    model.to_empty(device="cpu")
    numbers = torch.randn(1_000_003, generator=torch.Generator().manual_seed(0))
    for place, (name, values) in enumerate(model.state_dict().items()):
        if not values.is_floating_point():  # batch norm's number of batches
            values.zero_()
            continue
        source = numbers.roll(7919 * place)
        for part in values.view(-1).split(len(source)):
            part.copy_(source[: len(part)])
        if values.dim() > 1:
            values *= math.sqrt(2 / values[0].numel())
        elif name.endswith(("weight", "running_var")):
            values.abs_().add_(0.5)
        else:
            values *= 0.1


def difference(
    name: str,
    reference: Callable[[], nn.Module],
    names: dict[str, str] | None,
    compose: Callable,
    *overrides: str,
    shape: tuple[int, ...] = (3, 224, 224),
    outputs: int = 1000,
) -> float:
    """Return how far our outputs are from the reference's with the same weights.

    names: from the reference's to ours; None where both are one layer after the other.

    Fails unless both have the same weights, name by name and shape by shape.
    """
    with torch.device("meta"):
        ours = build(compose(f"model={name}", *overrides)["model"])(shape, outputs).eval()
        theirs = reference().eval()
    fill(theirs)
    state = theirs.state_dict()
    state = in_order(ours, state) if names is None else renamed(state, names)
    ours.load_state_dict(state, assign=True)
    images = torch.randn(1, *shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, found = theirs(images), ours(images)
    assert expected.std() > 0.01, "outputs that are all alike would prove nothing"
    return float((found - expected).abs().max())


def published(name: str, **settings: bool) -> nn.Module:
    """Make torchvision's net of that name."""
    from torchvision import models

    return models.get_model(name, weights=None, **settings)


def cifar(depth: int, *, skip: bool) -> nn.Module:
    """Make a net of He et al. 2015, section 4.2, from torchvision's residual blocks."""
    from torchvision.models.resnet import BasicBlock

    class OptionA(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            count, channels, height, width = maps.shape
            wider = torch.zeros(count, 2 * channels, height // 2, width // 2)
            wider[:, :channels] = maps[:, :, ::2, ::2]
            return wider

    class Nothing(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            return torch.zeros(())

    def block(inputs: int, maps: int) -> nn.Module:
        stride = maps // inputs
        widen = OptionA() if stride == 2 else None
        return BasicBlock(inputs, maps, stride, widen if skip else Nothing())

    def stage(inputs: int, maps: int) -> nn.Module:
        rest = [block(maps, maps) for _ in range((depth - 2) // 6 - 1)]
        return nn.Sequential(block(inputs, maps), *rest)

    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 16, 3, padding=1, bias=False),
            bn1=nn.BatchNorm2d(16), relu=nn.ReLU(),
            layer1=stage(16, 16), layer2=stage(16, 32), layer3=stage(32, 64),
            pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=nn.Linear(64, 10),
        )
    )  # fmt: skip


def lenet() -> nn.Module:
    """Make LeNet-5 with the paper's activation and pooling."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def lenet_caffe(activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    """Make the net of 20 and 50 maps: CONV, RELU, POOL; without ReLU it is lenet.prototxt's."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5), activation(), nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5), activation(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
    )  # fmt: skip


def both_lenets_of_caffe(compose: Callable, *overrides: str) -> float:
    """Return how far the net is from its layers, with ReLU after the convolutions and without."""
    own = partial(lenet_caffe, nn.Identity)
    with_relu = against_layers("lenet_caffe", lenet_caffe, "").deviation(compose, *overrides)
    without = against_layers("lenet_caffe", own, "")
    return max(with_relu, without.deviation(compose, "model.conv_activation=false", *overrides))


def convnet(dilation: int = 1) -> nn.Module:
    """Make the convolutional net with batch normalisation; dropout is idle in use.

    One that is dilated pads as much as keeps the size, as torch's own "same".
    """
    around, features = (0, 9216) if dilation == 1 else ("same", 64 * 14 * 14)
    first, second = (
        nn.Conv2d(*maps, 3, padding=around, dilation=dilation) for maps in ((1, 32), (32, 64))
    )
    return nn.Sequential(
        first, nn.BatchNorm2d(32), nn.ReLU(),
        second, nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(features, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def averaged_vgg16() -> nn.Module:
    """Make VGG-16 without its last pooling, with an average of 14 x 14 and one linear layer."""
    layers = list(published("vgg16", init_weights=False).features)[:-1]
    return nn.Sequential(*layers, nn.AvgPool2d(14), nn.Flatten(), nn.Linear(512, 1000))


def both_vgg16s(compose: Callable) -> float:
    """Return how far VGG-16 is from torchvision's, and with the other head from its layers."""
    dense = against_torchvision("vgg16", "", {}, init_weights=False).deviation(compose)
    return max(dense, difference("vgg16", averaged_vgg16, None, compose, "model.head=average"))


def both_convnets(compose: Callable) -> float:
    """Return how far the net is from its layers, and a dilated one that keeps its maps' size."""
    plain = against_layers("convnet", convnet, "").deviation(compose)
    dilated = against_layers("convnet", partial(convnet, dilation=3), "")
    overrides = ("model.dilation=3", "model.padding=same")
    return max(plain, dilated.deviation(compose, *overrides))


def against_torchvision(name: str, parameters: str, names: dict[str, str], **settings: bool) -> Row:
    """Return the row of a net that torchvision has too."""
    text = f"torchvision {name}: its {parameters} parameters by name, outputs at 224 x 224"
    return Row(text, partial(difference, name, partial(published, name, **settings), names), 1e-5)


def against_blocks(depth: int, skip: bool) -> tuple[str, Row]:
    """Return the row of a net for CIFAR-10."""
    name = f"{'resnet' if skip else 'plain'}{depth}"
    net = "torchvision's BasicBlock, in the net of He et al. 2015, section 4.2, A"
    text = f"{net}: outputs for 32 x 32"
    reference = partial(cifar, depth, skip=skip)
    measure = partial(difference, name, reference, RESNET, shape=(3, 32, 32), outputs=10)
    return name, Row(text if skip else f"{text}; the shortcuts are set to zero", measure, 1e-5)


def against_layers(name: str, reference: Callable[[], nn.Module], text: str) -> Row:
    """Return the row of a small net for MNIST, written out layer by layer."""
    measure = partial(difference, name, reference, None, shape=(1, 28, 28), outputs=10)
    return Row(f"{text}: the net written out in torch.nn", measure, 1e-5)


def lenet_of_the_paper(compose: Callable, *overrides: str) -> float:
    """Return how far LeNet-5 is from its layers with the paper's activation and pooling."""
    row = against_layers("lenet", lenet, "")
    return row.deviation(compose, "model.activation=tanh", "model.pool=average", *overrides)


CLASSIC = {
    "lenet": Row(
        "LeCun et al. 1998, with tanh and averages: the net written out in torch.nn",
        lenet_of_the_paper, 1e-5,
    ),
    "lenet_caffe": Row(
        "CONV, RELU, POOL, and Caffe's file without RELU: the nets written out in torch.nn",
        both_lenets_of_caffe, 1e-5,
    ),
    "convnet": Row(
        "conv32-BN-conv64-BN-pool-fc128-BN-fc10, plain and dilated: written out in torch.nn",
        both_convnets, 1e-5,
    ),
    "alexnet": against_torchvision("alexnet", "61,100,840", {}),
    "vgg11": against_torchvision("vgg11", "132,863,336", {}, init_weights=False),
    "vgg13": against_torchvision("vgg13", "133,047,848", {}, init_weights=False),
    "vgg16": Row(
        "torchvision vgg16: its 138,357,544 parameters by name, outputs at 224 x 224; its maps, "
        "averaged, and one linear layer",
        both_vgg16s, 1e-5,
    ),
    "vgg19": against_torchvision("vgg19", "143,667,240", {}, init_weights=False),
    "googlenet": against_torchvision(
        "googlenet", "6,624,904", GOOGLENET, aux_logits=False, init_weights=False
    ),
    "resnet18": against_torchvision("resnet18", "11,689,512", RESNET),
    "resnet34": against_torchvision("resnet34", "21,797,672", RESNET),
    "resnet50": against_torchvision("resnet50", "25,557,032", RESNET),
    **dict(against_blocks(n, skip) for n in (20, 32, 44, 56, 110) for skip in (True, False)),
}  # fmt: skip
