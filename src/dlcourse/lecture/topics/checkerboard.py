"""The checkerboard of a transposed convolution, and two ways to avoid it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import dlcourse
from dlcourse.engine.datasets import load_data
from dlcourse.layer.convolution import overlap_counts
from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOKE = ()
FULL = ()
_WAYS = {
    "kernel 3, stride 2": lambda inputs, maps: nn.ConvTranspose2d(inputs, maps, 3, 2, 1, 1),
    "kernel 4, stride 2": lambda inputs, maps: nn.ConvTranspose2d(inputs, maps, 4, 2, 1),
    "resize, kernel 3": lambda inputs, maps: nn.Sequential(
        nn.UpsamplingNearest2d(scale_factor=2), nn.Conv2d(inputs, maps, 3, padding=1)
    ),
}
"""Layers that double the side of a map."""

_SHOWN, _BATCH, _EXAMPLE = (10, 60), 64, 2  # steps after which outputs are drawn


def measure(bench: Bench) -> None:
    """Count overlaps; apply random layers to a uniform map; train three decoders on digits."""
    bench.command("show", "what=convolution", "transposed=3:2,4:2,5:2,6:2")
    counts = {3: overlap_counts(3, 2, 6), 4: overlap_counts(4, 2, 6)}
    inner = {kernel: found[3:-3, 3:-3] for kernel, found in counts.items()}
    for kernel, found in inner.items():
        bench.number(f"counts_{kernel}", sorted(set(found.flatten().tolist())))

    uniform = [_uneven(_on_uniform_map(make)) for make in _WAYS.values()]
    bench.number("uniform", uniform)
    bench.figure("overlaps", _draw_overlap_counts(counts))
    bench.figure("uniform", _draw_uniform())

    gradient = _gradient_of_stride()
    bench.number("gradient", {"least": float(gradient.min()), "most": float(gradient.max())})

    images = _digits(100 if bench.smoke else None)
    steps = (1, 2) if bench.smoke else _SHOWN
    made = {name: _train(make, images, steps) for name, make in _WAYS.items()}
    target = _uneven(images[:200])
    ratios = [[_uneven(shown) / target for shown in found.values()] for found in made.values()]
    early, late = [one[0] for one in ratios], [one[-1] for one in ratios]
    bench.number("early", early)
    bench.number("late", late)
    bench.number("steps", list(next(iter(made.values()))))
    bench.figure("learned", _draw_learned(images, made))

    bench.claim(
        "Kernel 3, stride 2: most inputs of an inner pixel over fewest",
        float(inner[3].max() / inner[3].min()), at_least=4,
    )  # fmt: skip
    bench.claim(
        "Kernel 4, stride 2: most inputs of an inner pixel over fewest",
        float(inner[4].max() / inner[4].min()),
        at_most=1,
    )
    bench.claim(
        "A uniform map stays uniform after resizing and a convolution: unevenness",
        uniform[2], at_most=1e-3,
    )  # fmt: skip
    bench.claim(
        "It gets a pattern from random kernels of 3 with stride 2: unevenness",
        uniform[0],
        at_least=0.3,
    )
    bench.claim(
        f"After {bench.numbers['steps'][0]} steps the decoder of kernel 3, stride 2 is more uneven "
        "than that which resizes: ratio",
        early[0] / early[2], at_least=3,
    )  # fmt: skip
    bench.claim(
        f"After {bench.numbers['steps'][-1]} steps it is still more uneven than that: ratio",
        late[0] / late[2], at_least=1.4,
    )  # fmt: skip


def _on_uniform_map(make, draws: int = 200) -> Tensor:
    """Return the outputs (draws, 1, 8, 8) of random layers for a map of ones, in its middle."""
    torch.manual_seed(0)
    layer = make(1, draws)
    with torch.no_grad():
        for part in layer.modules():
            if hasattr(part, "weight"):
                part.weight.uniform_(0, 1)  # of one sign, so that the overlaps add up
                part.bias.zero_()
        return layer(torch.ones(1, 1, 8, 8))[0, :, None, 4:-4, 4:-4]


def _uneven(images: Tensor) -> float:
    """Return how far pixels (N, 1, H, W) are from a blurred image, as a share of their size."""
    blurred = F.avg_pool2d(F.avg_pool2d(images, 2, 1), 2, 1)  # (N, 1, H - 2, W - 2)
    rest = images[..., 1:-1, 1:-1] - blurred
    return float(rest.square().mean().sqrt() / images.square().mean().sqrt())


def _gradient_of_stride() -> Tensor:
    """Return the gradient of the sum of a convolution of kernel 3 and stride 2, by its inputs."""
    image = torch.ones(1, 1, 13, 13, requires_grad=True)
    F.conv2d(image, torch.ones(1, 1, 3, 3), stride=2).sum().backward()
    assert image.grad is not None
    return image.grad[0, 0, 2:-2, 2:-2]


def _digits(examples: int | None) -> Tensor:
    """Return the training digits (N, 1, 28, 28) from 0 to 1."""
    dataset = load_data(dlcourse.compose("data=digits"))
    ((images, _),) = dataset.train.batches([torch.arange(examples or 1024)])
    return images.float() / 255


def _train(make, images: Tensor, steps: Sequence[int]) -> dict[int, Tensor]:
    """Train a decoder to enlarge digits of 7 x 7 to 28 x 28; return what it makes after steps.

    Two layers that double the side, with a ReLU between them; Adam; squared error.
    """
    torch.manual_seed(0)
    decoder = nn.Sequential(make(1, 16), nn.ReLU(), make(16, 1))
    optimizer = torch.optim.Adam(decoder.parameters(), lr=0.01)
    small = F.avg_pool2d(images, 4)  # (N, 1, 7, 7)
    shown = {}
    for step in range(1, steps[-1] + 1):
        batch = torch.randint(len(images), (_BATCH,))
        loss = F.mse_loss(decoder(small[batch]), images[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in steps:
            with torch.no_grad():
                shown[step] = decoder(small[:200])
    return shown


def _draw_overlap_counts(counts: dict[int, Tensor]) -> "Figure":
    """Draw how many inputs reach each output."""
    from dlcourse.drawing.cells import draw_overlaps

    names = ["kernel 3, stride 2: 1, 2 or 4", "kernel 4, stride 2: 4 inside"]
    title = "The number of inputs that reach each output of a transposed convolution"
    return draw_overlaps([one.numpy() for one in counts.values()], names, title)


def _draw_uniform() -> "Figure":
    """Draw the outputs of one random layer of each kind for a map of ones."""
    from dlcourse.drawing.image_grid import draw_image_grid

    images = []
    for make in _WAYS.values():
        found = _on_uniform_map(make, 1)[0, 0]
        images.append((found / found.mean()).numpy())
    return draw_image_grid(
        images, list(_WAYS), columns=3, title="A uniform map, enlarged by a random layer",
        cell=2.2, limits=(0, 2),
    )  # fmt: skip


def _draw_learned(images: Tensor, made: dict[str, dict[int, Tensor]]) -> "Figure":
    """Draw a digit, its small form, and what each decoder makes of it after some steps."""
    from dlcourse.drawing.image_grid import draw_image_grid

    steps = list(next(iter(made.values())))
    small = F.avg_pool2d(images, 4)
    cells, labels = [], []
    for number, step in enumerate(steps):
        cells += [images[_EXAMPLE, 0], *(found[step][_EXAMPLE, 0] for found in made.values())]
        labels += ["target", *(f"{name}\n{step} steps" for name in made)]
        if number == 0:
            cells[0], labels[0] = small[_EXAMPLE, 0], "input, 7 x 7"
    return draw_image_grid(
        [cell.numpy() for cell in cells], labels, columns=1 + len(made),
        title="Digits enlarged from 7 x 7 to 28 x 28", cell=2.0, limits=(0, 1),
    )  # fmt: skip
