"""What the layers of LeNet-5 see: filters, feature maps, activation maximisation, dream."""

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dlcourse.lecture.bench import Bench
from dlcourse.look.ascent import gradient_ascent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run
    from dlcourse.core import Split

SMOKE = ("data=digits", "data.examples=60", "data.test_examples=100", "max_epochs=1")
FULL = ()

LENET_LAYERS = ("pixels", "convolution 1", "convolution 2", "dense 1", "dense 2", "output")
ASCENT_STEPS = (0, 5, 20, 200)
"""Steps of gradient ascent after which the image is shown."""


def measure(bench: Bench) -> None:
    """Train LeNet-5, draw what its layers respond to, and measure how they separate classes."""
    run = bench.train("experiment=lecture/features")
    test = run.dataset.test
    network: Any = run.model.network  # LeNet-5
    made, outputs = _excite_classes(run, ASCENT_STEPS[:2] if bench.smoke else ASCENT_STEPS)
    bench.figure("maps", _draw_maps(run, test))
    bench.figure("maximised", _draw_excited(made))
    bench.figure("dream", bench.look(run, "dream", images="0-5", octaves=3, rate=5)[0])

    inputs = run.model.standardize(test.inputs)
    trained = separation(network, inputs, test.targets)
    random = separation(_with_random_weights(network), inputs, test.targets)
    bench.number("layers", list(LENET_LAYERS))
    bench.number("trained", trained)
    bench.number("random", random)
    bench.number("accuracy", run.result["test"]["accuracy"])
    recognised = (outputs.argmax(1) == torch.arange(len(outputs))).sum()
    bench.number("recognised", int(recognised))
    bench.number("excited", float(outputs.diagonal().mean()))
    usual = run.model(test.inputs).detach().gather(1, test.targets[:, None])
    bench.number("usual", float(usual.mean()))

    bench.claim(
        "Training makes the classes separate from layer to layer: share of the variance between "
        "classes in the last layer",
        trained[-1],
        at_least=0.6,
    )
    bench.claim(
        "With random weights the layers do not separate them: the same share",
        random[-1],
        at_most=0.45,
    )
    bench.claim(
        "Noise is turned into images that the network sees as the wanted class: of 10",
        float(recognised),
        at_least=9,
    )
    bench.claim(
        "They excite the class more than real digits do: output, times that for the test images",
        outputs.diagonal().mean() / usual.mean(),
        at_least=1.2,
    )


@torch.no_grad()
def separation(network: Any, inputs: Tensor, targets: Tensor) -> list[float]:
    """Return the share of the variance that lies between the classes, for each of ``LENET_LAYERS``.

    inputs: standardised images (N, C, H, W). The outputs are taken after ReLU and pooling. 0: the
    classes have the same mean; 1: all examples of a class give the same output.
    """
    shares, values = [], inputs
    for stage in ([], network.features[:3], network.features[3:], *_dense_stages(network)):
        values = nn.Sequential(*stage)(values)
        flat = values.flatten(1)
        around = flat - flat.mean(0)
        means = torch.stack([around[targets == c].mean(0) for c in targets.unique()])
        counts = targets.unique(return_counts=True)[1]
        between = (counts[:, None] * means.square()).sum()
        shares.append(float(between / around.square().sum()))
    return shares


def _dense_stages(network: Any) -> list[list[nn.Module]]:
    """Return the modules of the three dense layers, each with its ReLU."""
    first, relu1, second, relu2, output = network.classifier
    return [[nn.Flatten(), first, relu1], [second, relu2], [output]]


def _with_random_weights(network: nn.Module) -> nn.Module:
    """Return a copy of a network with PyTorch's initial weights."""
    fresh = deepcopy(network)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for layer in fresh.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.reset_parameters()
    return fresh


def _excite_classes(run: "Run", steps: tuple[int, ...]) -> tuple[dict[int, Tensor], Tensor]:
    """Return the images (10, 1, H, W) after each number of steps, and the outputs of the last.

    All classes start from the same noise around the mean of the training images.
    """
    model, classes = run.model.requires_grad_(False), len(run.classes)
    noise = 25 * torch.randn(
        1, *run.dataset.input_shape, generator=torch.Generator().manual_seed(0)
    )
    start = (noise + model.mean).clamp(0, 255).expand(classes, -1, -1, -1)
    made = {}
    for number in steps:
        made[number], _ = gradient_ascent(
            lambda images: model(images).diagonal(), start, steps=number, rate=4, jitter=1,
            blur_every=4, generator=torch.Generator().manual_seed(1),
        )  # fmt: skip
    return made, model(made[steps[-1]])


@torch.no_grad()
def _draw_maps(run: "Run", test: "Split") -> "Figure":
    """Draw the six filters of the first layer, and below each its maps for a 1, a 7 and a 0."""
    from dlcourse.drawing.image_grid import in_colours
    from dlcourse.drawing.image_rows import draw_image_rows
    from dlcourse.introspect.displayed import displayed

    network: Any = run.model.network
    layer = network.features[0]
    first = {str(c): int((test.targets == c).nonzero()[0]) for c in (1, 7, 0)}
    images = test.inputs[list(first.values())]
    maps = layer(run.model.standardize(images))  # (3, 6, H, W)
    largest, strongest = float(layer.weight.abs().max()), float(maps.abs().max())
    filters = [in_colours(one[0].numpy(), "RdBu_r", -largest, largest) for one in layer.weight]
    rows = {"filters,\n5 x 5 weights": [None, *filters]}
    for name, image, own in zip(first, displayed(images), maps.numpy(), strict=True):
        shown = [in_colours(one, "RdBu_r", -strongest, strongest) for one in own]
        rows[f"maps of a {name}"] = [in_colours(image, "gray", 0, 1), *shown]
    return draw_image_rows(
        rows, ["image", *(f"map {number}" for number in range(len(filters)))], cell=1,
        title="First layer: each filter, and where it responds (red: positive, blue: negative)",
    )  # fmt: skip


def _draw_excited(made: dict[int, Tensor]) -> "Figure":
    """Draw a column for each class: noise, and what gradient ascent makes of it."""
    from dlcourse.drawing.image_rows import draw_image_rows
    from dlcourse.introspect.displayed import displayed

    return draw_image_rows(
        {f"{steps} steps" if steps else "noise": displayed(made[steps]) for steps in made},
        [f"class {number}" for number in range(10)],
        title="Activation maximisation: the image that excites each class, from noise",
        name_width=0.8,
    )
