"""The operations on colours and grey levels, and how TrivialAugment and RandAugment draw them."""

import dataclasses

import pytest
import torch
from references.augment import from_the_nearest, image
from torchvision.transforms import InterpolationMode, autoaugment
from torchvision.transforms.v2 import functional as V

from dlcourse.augment import color, levels
from dlcourse.augment.operations import OPERATIONS, deal
from dlcourse.augment.rand_augment import strengths
from dlcourse.augment.trivial_augment import WIDE_SPACE
from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError

NEAREST = InterpolationMode.NEAREST
TORCHVISION = [
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color",
    "Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize",
]  # fmt: skip
NAMES = dict(zip(OPERATIONS, TORCHVISION, strict=True))
SPACES = {
    "trivial": (WIDE_SPACE, autoaugment.TrivialAugmentWide()._augmentation_space(31)),
    "rand": (strengths(32, 32), autoaugment.RandAugment()._augmentation_space(31, (32, 32))),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("space", SPACES)
def test_an_operation_equals_torchvisions_at_the_same_strength(space, name):
    """Up to one grey level: torchvision truncates, dlcourse rounds."""
    ours, (magnitudes, signed) = SPACES[space][0][name], SPACES[space][1][NAMES[name]]
    magnitudes = magnitudes.float() if magnitudes.ndim else torch.zeros(31)
    steps = torch.arange(0, 31, 3)
    if space == "rand" and name.startswith("shear"):
        steps = steps[steps % 4 > 0]  # at multiples of 4 a pixel is between two
    own, theirs = dataclasses.replace(ours, signed=False).at(steps, 31), magnitudes[steps]
    assert ours.signed == signed
    assert torch.equal(own.round() if name == "posterize" else own, theirs)
    if signed:
        own, theirs = torch.cat([own, -own]), torch.cat([theirs, -theirs])
    after = OPERATIONS[name](image().expand(len(own), -1, -1, -1), own)
    for mine, magnitude in zip(after, theirs.tolist(), strict=True):
        other = autoaugment._apply_op(image(), NAMES[name], magnitude, NEAREST, None)
        assert (mine.int() - other.int()).abs().max() <= 1


@pytest.mark.parametrize(
    ("ours", "theirs", "number"),
    [
        (color.brightness, V.adjust_brightness, 1.3),
        (color.contrast, V.adjust_contrast, 0.4),
        (color.saturation, V.adjust_saturation, 1.7),
        (color.hue, V.adjust_hue, -0.15),
        (color.sharpness, V.adjust_sharpness, 1.9),
        (levels.stretch, V.autocontrast, None),
        (levels.solarize, V.solarize, 0.6),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_on_floats_an_operation_equals_torchvisions_without_rounding(
    ours, theirs, number, channels
):
    floats = image().float()[None, :channels]
    numbers = [] if number is None else [number]
    mine = ours(
        floats, *(torch.tensor([255 * n if ours is levels.solarize else n]) for n in numbers)
    )
    assert torch.allclose(mine / 255, theirs(floats / 255, *numbers), atol=1e-5)


def test_posterize_and_equalize_give_the_same_for_floats_and_integers():
    whole = image()[None]
    for bits in (2, 5, 8):
        number = torch.tensor([bits])
        expected = levels.posterize(whole, number).float()
        assert torch.equal(levels.posterize(whole.float(), number), expected)
    assert torch.equal(levels.equalize(whole.float()), levels.equalize(whole).float())


@pytest.mark.parametrize("change", [color.saturation, color.hue])
def test_saturation_and_hue_do_not_change_grey_images(change):
    number = torch.tensor([0.4])
    one_channel = image()[None, :1]
    assert torch.equal(change(one_channel, number), one_channel)
    three_equal = one_channel.expand(-1, 3, -1, -1)
    assert (change(three_equal, number).int() - three_equal.int()).abs().max() <= 1


def test_a_hue_shift_of_a_third_turns_red_into_green():
    red = torch.tensor([200, 10, 10], dtype=torch.uint8).view(1, 3, 1, 1)
    assert color.hue(red, torch.tensor([1 / 3])).flatten().tolist() == [10, 200, 10]
    assert color.hue(red, torch.tensor([0.5])).flatten().tolist() == [10, 200, 200]


def test_every_operation_takes_constant_images_and_images_of_two_pixels():
    for shape in ((4, 3, 6, 6), (4, 1, 1, 2)):
        flat = torch.full(shape, 77, dtype=torch.uint8)
        for operation in OPERATIONS.values():
            assert operation(flat, torch.full((4,), 0.5)).shape == shape
        assert torch.equal(levels.stretch(flat), flat)
        assert torch.equal(levels.equalize(flat), flat)


def test_every_example_draws_one_operation_and_all_are_equally_likely():
    places = deal(14_000, 14, torch.device("cpu"))
    assert torch.cat(places).sort().values.tolist() == list(range(14_000))
    assert all(850 < len(place) < 1150 for place in places)
    early = [(place < 7000).sum().item() for place in places]
    assert all(400 < count < 600 for count in early)


def test_an_operation_that_torchvision_lacks_is_found_by_the_reference(compose):
    """The control of the comparison with all possible results of torchvision."""
    assert from_the_nearest(compose, ["augment=[trivial_augment]"], [image()]) > 1


def test_rand_augment_applies_its_operations_one_after_the_other(compose):
    both = build(compose("augment=[rand_augment]")["augment"]["rand_augment"])
    one = build(
        compose("augment=[rand_augment]", "augment.rand_augment.num_ops=1")["augment"][
            "rand_augment"
        ]
    )
    before = image().expand(64, -1, -1, -1)
    torch.manual_seed(1)
    together, _ = both(before, None)
    torch.manual_seed(1)
    assert torch.equal(one(one(before, None)[0], None)[0], together)


def test_a_magnitude_above_30_is_refused(compose):
    overrides = ["augment=[rand_augment]", "augment.rand_augment.magnitude=31"]
    augment = build(compose(*overrides)["augment"]["rand_augment"])
    with pytest.raises(UserError, match=r"magnitude=30 or less"):
        augment(image()[None], None)


def test_color_jitter_with_zero_strength_is_the_identity(compose):
    keys = ("brightness", "contrast", "saturation", "hue")
    overrides = [f"augment.color_jitter.{key}=0" for key in keys]
    jitter = build(compose("augment=[color_jitter]", *overrides)["augment"]["color_jitter"])
    assert torch.equal(jitter(image()[None], None)[0], image()[None])


def test_color_jitter_draws_the_order_of_its_changes(compose):
    """Only brightness and saturation are used: two orders with clearly different images."""
    overrides = ["augment.color_jitter.hue=0", "augment.color_jitter.contrast=0"]
    jitter = build(compose("augment=[color_jitter]", *overrides)["augment"]["color_jitter"])
    orders = set()
    for seed in range(20):
        torch.manual_seed(seed)
        after, _ = jitter(image()[None].float(), None)
        torch.manual_seed(seed)
        order = [number for number in torch.randperm(4).tolist() if number in (0, 2)]
        factors = dict(zip(order, 1 + 0.4 * (2 * torch.rand(2, 1) - 1), strict=True))
        expected = image()[None].float()
        for number in order:
            change = color.brightness if number == 0 else color.saturation
            expected = change(expected, factors[number])
        assert torch.equal(after, expected)
        orders.add(tuple(order))
    assert len(orders) == 2
