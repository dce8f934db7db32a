"""Augmentations compared with torchvision's functions, which take one image at a time."""

from collections.abc import Callable, Iterable
from types import SimpleNamespace

import torch
from references.row import Row
from torch import Tensor
from torchvision.transforms import InterpolationMode, autoaugment, v2
from torchvision.transforms.v2 import functional as V

from dlcourse.augment import affine, resized_crop
from dlcourse.engine.assemble import with_keywords
from dlcourse.engine.instantiate import build

COUNT = 64
BILINEAR, NEAREST = InterpolationMode.BILINEAR, InterpolationMode.NEAREST


def image(side: int = 32, seed: int = 0) -> Tensor:
    """Return colours (3, side, side) that run into each other, with some noise."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 6, generator=generator) * 255
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic")[0]
    noisy = smooth + 5 * torch.randn(3, side, side, generator=generator)
    return noisy.clamp(0, 255).byte()


def images(side: int = 32) -> Tensor:
    """Return different images (COUNT, 3, side, side)."""
    return torch.stack([image(side, seed) for seed in range(COUNT)])


def augment(
    compose: Callable,
    overrides: list[str],
    inputs: Tensor,
    targets: Tensor | None = None,
    epoch: int = 0,
    mean: Tensor | float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Apply the augmentations of a config, after a fixed seed."""
    torch.manual_seed(5)
    for node in compose(*overrides)["augment"].values():
        function = with_keywords(build(node), SimpleNamespace(classes=range(COUNT)), 0, mean)
        inputs, targets = function(inputs, targets, torch.arange(len(inputs)), torch.tensor(epoch))
    return inputs, targets


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference, in grey levels."""
    return (ours.float() - theirs.float()).abs().max().item()


def from_the_nearest(
    compose: Callable, overrides: list[str], candidates: Iterable[Tensor]
) -> float:
    """Return the largest distance of an output from the nearest result that torchvision can give.

    candidates: the first is the image itself.
    """
    all_of_them = torch.stack(list(candidates)).short()
    one = all_of_them[0].byte()
    outputs, _ = augment(compose, overrides, one.expand(COUNT, *one.shape))
    return max(
        (all_of_them - ours.short()).abs().flatten(1).amax(1).min().item() for ours in outputs
    )


def crops(one: Tensor, padding: int = 4, mode: str = "constant") -> list[Tensor]:
    """Return the image and all its crops out of a black frame, or a mirrored one."""
    framed, places = V.pad(one, padding, padding_mode=mode), range(2 * padding + 1)
    return [one, *(V.crop(framed, y, x, *one.shape[1:]) for y in places for x in places)]


def none(compose: Callable) -> float:
    return difference(augment(compose, ["augment=none"], images())[0], images())


def crop(compose: Callable) -> float:
    overrides = ["augment=[crop]", "augment.crop.mode=reflect"]
    mirrored = from_the_nearest(compose, overrides, crops(image(), mode="reflect"))
    return max(mirrored, from_the_nearest(compose, overrides[:1], crops(image())))


def flip(compose: Callable) -> float:
    return from_the_nearest(compose, ["augment=[flip]"], [image(), V.hflip(image())])


def alternating_flip(compose: Callable) -> float:
    """Compare two epochs: each image is mirrored in one of them, about half of all in the first."""
    overrides, before = ["augment=[alternating_flip]"], images()
    first, second = (augment(compose, overrides, before, epoch=epoch)[0] for epoch in (3, 4))
    mirrored = (first == V.hflip(before)).flatten(1).all(1).view(-1, 1, 1, 1)
    assert COUNT / 4 < mirrored.sum() < 3 * COUNT / 4
    gap = difference(first, torch.where(mirrored, V.hflip(before), before))
    return max(gap, difference(second, V.hflip(first)))


def crop_flip(compose: Callable) -> float:
    candidates = crops(image())
    candidates += [V.hflip(one) for one in candidates]
    return from_the_nearest(compose, ["augment=[crop_flip]"], candidates)


def noise(compose: Callable) -> float:
    """Return how far the noise's quantiles are from the normal distribution's, in deviations."""
    grey = torch.full((COUNT, 1, 28, 28), 128, dtype=torch.uint8)
    outputs, _ = augment(compose, ["augment=[noise]"], grey)
    shares = torch.tensor([0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
    measured = (outputs - 128).flatten().quantile(shares) / 25.5
    return difference(measured, torch.distributions.Normal(0, 1).icdf(shares))


def dropout(compose: Callable) -> float:
    """Compare standardised inputs with torch's layer in front of a model, in deviations."""
    before = images()
    mean, std = (fold(before.double(), (0, 2, 3)) for fold in (torch.mean, torch.std))
    mean, std = mean.view(3, 1, 1).float(), std.view(3, 1, 1).float()
    after, _ = augment(compose, ["augment=[dropout]"], before, mean=mean)
    torch.manual_seed(5)
    theirs = torch.nn.Dropout(0.2)((before - mean) / std)
    assert 0.15 < (theirs == 0).float().mean() < 0.25
    return difference((after - mean) / std, theirs)


def resized(compose: Callable) -> float:
    before = images()
    after, _ = augment(compose, ["augment=[resized_crop]"], before)
    torch.manual_seed(5)
    windows = resized_crop.windows(before, (0.08, 1.0), (3 / 4, 4 / 3))
    left, top, wide, high = windows.int().tolist()
    theirs = [
        V.resized_crop(one, *place, list(one.shape[1:]), antialias=True)
        for one, *place in zip(before, top, left, high, wide, strict=True)
    ]
    return difference(after, torch.stack(theirs))


def color_jitter(compose: Callable) -> float:
    """Return the largest difference of the four changes, each alone."""
    functions = {
        "brightness": (V.adjust_brightness, 1.0, 0.4),
        "contrast": (V.adjust_contrast, 1.0, 0.4),
        "saturation": (V.adjust_saturation, 1.0, 0.4),
        "hue": (V.adjust_hue, 0.0, 0.1),
    }
    before, deviations = images(), []
    for name, (function, middle, strength) in functions.items():
        others = [f"augment.color_jitter.{other}=0" for other in functions if other != name]
        after, _ = augment(compose, ["augment=[color_jitter]", *others], before)
        torch.manual_seed(5)
        torch.randperm(4)  # the order of the four
        factors = middle + strength * (2 * torch.rand(COUNT) - 1)
        theirs = [function(one, f) for one, f in zip(before, factors.tolist(), strict=True)]
        deviations.append(difference(after, torch.stack(theirs)))
    return max(deviations)


def affine_(compose: Callable) -> float:
    before = images()
    after, _ = augment(compose, ["augment=[affine]"], before)
    torch.manual_seed(5)
    drawn = affine.draw_affine(before, 10, 0.1, (0.9, 1.1), 5)
    angle = drawn["angle"].rad2deg().tolist()
    shear = drawn["shear_x"].atan().rad2deg().tolist()
    shift = torch.stack([drawn["right"], drawn["down"]], dim=1).tolist()
    theirs = [
        V.affine(before[i], angle[i], shift[i], scale, [shear[i], 0.0], BILINEAR)
        for i, scale in enumerate(drawn["scale"].tolist())
    ]
    return difference(after, torch.stack(theirs))


def cutout(compose: Callable) -> float:
    one, side, half = image(20), 20, 8
    mean = one.float().mean((1, 2), keepdim=True).round().byte()
    candidates = [one]
    for y in range(-half, side - half):
        for x in range(-half, side - half):
            top, left = max(y, 0), max(x, 0)
            high, wide = min(y + 16, side) - top, min(x + 16, side) - left
            candidates.append(V.erase(one, top, left, high, wide, mean.expand(-1, high, wide)))
    return from_the_nearest(compose, ["augment=[cutout]"], candidates)


def mixup(compose: Callable) -> float:
    """Read partner and share from the targets, and let torchvision mix each pair."""
    before, labels = images(8), torch.arange(COUNT)
    after, targets = augment(compose, ["augment=[mixup]"], before, labels)
    deviations = [difference(targets.sum(1), torch.ones(COUNT))]
    for own in range(COUNT):
        share = targets[own, own].item()
        partner = (targets[own].index_fill(0, labels[own], 0)).argmax().item()
        if share == 1:  # it is its own partner
            deviations.append(difference(after[own], before[own]))
            continue
        pair, classes = before[[own, partner]].float(), torch.tensor([own, partner])
        params = {"labels": classes, "batch_size": 2, "lam": share}
        transform = v2.MixUp(num_classes=COUNT)
        deviations.append(difference(after[own], transform.transform(pair, params)[0]))
        deviations.append(difference(targets[own], transform.transform(classes, params)[0]))
    return max(deviations)


def cutmix(compose: Callable) -> float:
    """Read the rectangle from images of one colour each, and let torchvision mix each pair."""
    labels, side = torch.arange(COUNT), 20
    before = labels.byte().view(-1, 1, 1, 1).expand(-1, 3, side, side)
    after, targets = augment(compose, ["augment=[cutmix]"], before, labels)
    deviations = []
    for own, now in enumerate(after):
        foreign = (now[0] != own).nonzero()
        if not len(foreign):
            deviations.append(difference(targets[own], torch.eye(COUNT)[own]))
            continue
        (y1, x1), (y2, x2) = foreign.amin(0).tolist(), (foreign.amax(0) + 1).tolist()
        partner = now[0, y1, x1].item()
        pair, classes = before[[own, partner]], torch.tensor([own, partner])
        share = 1 - (y2 - y1) * (x2 - x1) / side**2
        params = {"labels": classes, "batch_size": 2}
        params |= {"box": (x1, y1, x2, y2), "lam_adjusted": share}
        transform = v2.CutMix(num_classes=COUNT)
        deviations.append(difference(now, transform.transform(pair, params)[0]))
        deviations.append(difference(targets[own], transform.transform(classes, params)[0]))
    return max(deviations)


def policy(space: dict, bins: Iterable[int]) -> list[Tensor]:
    """Return every result that a policy of torchvision can give for one image."""
    one, results = image(), []
    for name, (magnitudes, signed) in space.items():
        signed_magnitudes = [magnitudes[i].item() for i in bins] if magnitudes.ndim else [0.0]
        signed_magnitudes += [-magnitude for magnitude in signed_magnitudes] if signed else []
        for magnitude in signed_magnitudes:
            results.append(autoaugment._apply_op(one, name, magnitude, NEAREST, None))
    return results


def trivial_augment(compose: Callable) -> float:
    space = autoaugment.TrivialAugmentWide()._augmentation_space(31)
    return from_the_nearest(compose, ["augment=[trivial_augment]"], policy(space, range(31)))


def rand_augment(compose: Callable) -> float:
    """Return the difference after one operation; a second one may make a level's more of it."""
    space = autoaugment.RandAugment()._augmentation_space(31, (32, 32))
    overrides = ["augment=[rand_augment]", "augment.rand_augment.num_ops=1"]
    return from_the_nearest(compose, overrides, policy(space, [9]))


def torchvision(compose):
    """Return the distance from calls of one image each."""
    inputs = images()
    ours, _ = augment(compose, ["augment=[torchvision]"], inputs, torch.arange(COUNT))
    torch.manual_seed(5)
    transform = v2.RandomPerspective()
    return difference(ours, torch.stack([transform(one) for one in inputs]))


ROWS = {
    "none": Row("the images themselves", none, 0),
    "crop": Row("torchvision pad and crop, every place", crop, 0),
    "flip": Row("torchvision hflip", flip, 0),
    "alternating_flip": Row("torchvision hflip, two epochs", alternating_flip, 0),
    "noise": Row("quantiles of the normal distribution", noise, 0.03),
    "dropout": Row("torch.nn.Dropout on the standardised images", dropout, 1e-5),
    "crop_flip": Row("torchvision pad, crop and hflip, every place", crop_flip, 0),
    "resized_crop": Row("torchvision resized_crop, antialiased, grey levels", resized, 1),
    "color_jitter": Row("torchvision adjust_*, grey levels", color_jitter, 1),
    "affine": Row("torchvision affine, bilinear, grey levels", affine_, 1),
    "cutout": Row("torchvision erase, every place", cutout, 0),
    "mixup": Row("torchvision v2.MixUp, pair by pair", mixup, 1e-4),
    "cutmix": Row("torchvision v2.CutMix, pair by pair", cutmix, 1e-6),
    "trivial_augment": Row("torchvision TrivialAugmentWide, all strengths", trivial_augment, 1),
    "torchvision": Row("torchvision v2.RandomPerspective, image by image", torchvision, 0),
    "rand_augment": Row("torchvision RandAugment, one operation", rand_augment, 1),
}
