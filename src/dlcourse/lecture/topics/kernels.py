"""Hand-made kernels on a photograph, and the kernels that LeNet learns."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlcourse.layer.convolution import filter_images
from dlcourse.layer.kernels import KERNELS
from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOKE = ("data=digits", "data.examples=60", "data.test_examples=60", "max_epochs=1")
FULL = ()
_WINDOW = (slice(20, 220), slice(180, 380))  # rows and columns of the photograph
_IMAGE = 0  # the training example whose maps are drawn


def measure(bench: Bench) -> None:
    """Filter a photograph by hand-made kernels; train LeNet, and look at its first kernels."""
    data = "digits" if bench.smoke else "fashion_mnist"
    bench.command("show", "what=kernels", f"data={data}", "image=0,3")
    photograph = _photograph()
    filtered = {name: filter_images(photograph[None], one)[0] for name, one in KERNELS.items()}
    bench.figure("photograph", _draw_photograph(photograph, filtered))
    before = _roughness(photograph)
    for name, image in filtered.items():
        bench.number(name, {"roughness": _roughness(image) / before, "mean": float(image.mean())})
    bench.number("mean", float(photograph.mean()))

    run = bench.train("experiment=lecture/kernels")
    learned = run.model.network.get_parameter("features.0.weight").detach()
    bench.number("accuracy", run.result["test"]["accuracy"])
    shares = _share_of_slope(learned)
    chance = 2 / learned[0].numel()
    bench.number("slopes", {"mean": float(shares.mean()), "largest": float(shares.max())})
    bench.number("chance", chance)
    bench.number("edges", int((shares > 3 * chance).sum()))
    example = run.dataset.train.inputs[_IMAGE].float()
    bench.figure("learned", _draw_learned(learned, shares, example))

    bench.claim(
        "Sharpening keeps the mean brightness: change in grey levels",
        abs(bench.numbers["sharpen"]["mean"] - bench.numbers["mean"]), at_most=1,
    )  # fmt: skip
    bench.claim(
        "Edge detection makes uniform areas black: its mean in grey levels",
        abs(bench.numbers["edge"]["mean"]), at_most=1,
    )  # fmt: skip
    bench.claim(
        "Blurring makes neighbouring pixels more equal: difference, as a share of before",
        bench.numbers["blur"]["roughness"], at_most=0.7,
    )  # fmt: skip
    bench.claim(
        "Sharpening makes them differ more", bench.numbers["sharpen"]["roughness"], at_least=1.5
    )
    bench.claim(
        "Some of LeNet's kernels become edges: largest share of a slope",
        float(shares.max()), at_least=0.4,
    )  # fmt: skip
    bench.claim(
        "Its kernels are more like edges than random ones: mean share over that of random weights",
        float(shares.mean()) / chance, at_least=2,
    )  # fmt: skip


def _photograph() -> Tensor:
    """Return a grey window (1, 100, 100), from 0 to 255, of a photograph in scikit-learn."""
    from sklearn.datasets import load_sample_image

    pixels = torch.from_numpy(load_sample_image("china.jpg").astype("float32"))  # (H, W, 3)
    return torch.nn.functional.avg_pool2d(pixels.mean(2)[_WINDOW][None], 2)


def _roughness(image: Tensor) -> float:
    """Return the mean difference of horizontal neighbours, in grey levels."""
    return image.diff(dim=-1).abs().mean().item()


def _share_of_slope(kernels: Tensor) -> Tensor:
    """Return the share (kernels,) of the squared weights that a slope a x + b y explains.

    1 is an edge in one direction; of random weights 2 / 25, with 25 weights.
    """
    side = kernels.shape[-1]
    place = torch.arange(side) - (side - 1) / 2
    columns = place.expand(side, side)
    slopes = torch.stack([columns, columns.T]).flatten(1)  # (2, 25), orthogonal
    slopes = slopes / slopes.norm(dim=1, keepdim=True)
    weights = kernels.flatten(1)  # (kernels, 25)
    return (weights @ slopes.T).square().sum(1) / weights.square().sum(1)


def _draw_photograph(photograph: Tensor, filtered: dict[str, Tensor]) -> "Figure":
    """Draw the photograph and what each kernel makes of it, with the weights below."""
    from dlcourse.drawing.image_grid import draw_image_grid
    from dlcourse.preview.kernels import pixels_shown, weights_text

    images = [pixels_shown(photograph), *map(pixels_shown, filtered.values())]
    labels = ["photograph", *(f"{name}\n{weights_text(KERNELS[name])}" for name in filtered)]
    return draw_image_grid(
        images,
        labels,
        columns=5,
        title="One image, four kernels of 3 x 3",
        cell=1.75,
        limits=(0, 1),
    )


def _draw_learned(learned: Tensor, shares: Tensor, example: Tensor) -> "Figure":
    """Draw LeNet's kernels in the first row, and their maps of one image in the second."""
    from dlcourse.drawing.image_grid import draw_image_grid, in_colours
    from dlcourse.drawing.style import DIVERGING
    from dlcourse.preview.kernels import pixels_shown

    most = float(learned.abs().max())
    kernels = [in_colours(one[0].numpy(), DIVERGING, -most, most) for one in learned]
    found = torch.cat([filter_images(example[None] / 255, one[0])[0] for one in learned])
    widest = float(found.abs().max())
    maps = [in_colours(one.numpy(), DIVERGING, -widest, widest) for one in found]
    names = [f"kernel {number}\nslope {share:.0%}" for number, share in enumerate(shares.tolist())]
    return draw_image_grid(
        [None, *kernels, pixels_shown(example), *maps],
        ["", *names, "image", *["its map"] * len(maps)],
        columns=len(kernels) + 1,
        title="The kernels that LeNet has learned, and their maps (red: positive, blue: negative)",
        cell=1.15,
    )
