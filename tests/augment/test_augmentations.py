"""Every augmentation draws random numbers for each example and changes only what it states."""

from types import SimpleNamespace

import pytest
import torch
from conftest import no_waiting, option_facts, options
from torch.nn import functional as F
from torchvision.transforms import v2

from dlcourse.augment import affine as affine_module
from dlcourse.augment import cutout as cutout_module
from dlcourse.augment import geometry
from dlcourse.augment.resized_crop import windows
from dlcourse.engine.assemble import with_keywords
from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError

CLASSES = 10
RANDOM = [name for name in options("augment") if name != "none"]
SOFT_TARGETS = [name for name in RANDOM if option_facts("augment", name).get("mixes_targets")]
RETURNS_FLOATS = ("noise", "mixup", "dropout")


def images(count=64, dtype=torch.uint8, shape=(3, 20, 24)):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (count, *shape), generator=generator).to(dtype)


def augmentation(compose, name, *more):
    """Return the augmentations of ``augment=[name]`` as one function."""
    chosen = compose(f"augment=[{name}]", "data.size=28", *more)["augment"]
    dataset, mean = SimpleNamespace(classes=range(CLASSES)), torch.tensor(100.0)
    functions = [with_keywords(build(node), dataset, 0, mean) for node in chosen.values()]

    def augment(inputs, targets):
        index = torch.arange(len(inputs), device=inputs.device)
        for function in functions:
            inputs, targets = function(inputs, targets, index, index.new_zeros(()))
        return inputs, targets

    return augment


@pytest.mark.parametrize("name", [name for name in RANDOM if name != "alternating_flip"])
def test_an_augmentation_repeats_with_the_same_seed_and_differs_between_examples(name, compose):
    augment = augmentation(compose, name)
    same = images(1).expand(64, 3, 20, 24)
    if name in SOFT_TARGETS:  # a mixture of equal images is the image
        same = images(64)
    ends = []
    for _ in range(2):
        torch.manual_seed(3)
        ends.append(augment(same, torch.arange(64) % CLASSES))
    assert torch.equal(ends[0][0], ends[1][0])
    assert torch.equal(ends[0][1], ends[1][1])
    assert len(ends[0][0].flatten(1).unique(dim=0)) > 1
    assert not torch.equal(ends[0][0], augment(same, torch.arange(64) % CLASSES)[0])


@pytest.mark.parametrize("name", options("augment"))
def test_an_augmentation_keeps_size_and_dtype_and_does_not_change_its_input(name, compose):
    augment = augmentation(compose, name)
    for count, shape in ((16, (1, 28, 28)), (16, (3, 17, 33)), (1, (3, 20, 20))):
        for dtype in (torch.uint8, torch.float32):
            before = images(count, dtype, shape)
            kept, targets = before.clone(), torch.arange(count) % CLASSES
            after, new_targets = augment(before, targets)
            assert after.shape == before.shape
            assert after.dtype == (torch.float32 if name in RETURNS_FLOATS else dtype)
            assert torch.equal(before, kept)
            assert name in ("noise", "dropout") or (after.min() >= 0 and after.max() <= 255)
            assert name in SOFT_TARGETS or torch.equal(new_targets, targets)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
@pytest.mark.parametrize("name", RANDOM)
def test_no_augmentation_waits_for_the_gpu(name, compose):
    augment = augmentation(compose, name)
    batch = images().cuda(), (torch.arange(64) % CLASSES).cuda()
    augment(*batch)  # loading libraries may wait
    with no_waiting():
        after, _ = augment(*batch)
    assert after.device.type == "cuda"


def test_augmentations_declared_for_any_inputs_take_tables(compose):
    others = [name for name in RANDOM if option_facts("augment", name).get("inputs") == "any"]
    assert {"mixup", "noise", "dropout"} <= {*others}
    for name in others:
        after, _ = augmentation(compose, name)(torch.randn(8, 2), torch.arange(8))
        assert after.shape == (8, 2)


def test_flip_mirrors_about_half_of_the_images(compose):
    before = images()
    after, _ = augmentation(compose, "flip")(before, None)
    assert 15 < (after == before.flip(-1)).flatten(1).all(1).sum() < 49


@pytest.mark.parametrize("probability", [0, 1])
def test_flip_has_the_given_probability(probability, compose):
    flip = augmentation(compose, "flip", f"augment.flip.probability={probability}")
    before = images()
    expected = before.flip(-1) if probability else before
    assert torch.equal(flip(before, None)[0], expected)


def test_crop_reaches_every_position_within_the_padding(compose):
    crop = augmentation(compose, "crop", "augment.crop.padding=1")
    after, _ = crop(images(1).expand(200, -1, -1, -1), None)
    assert len({tuple(image.flatten().tolist()) for image in after}) == 9


def test_a_crop_with_mode_reflect_takes_every_window_of_the_image_padded_by_torch(compose):
    overrides = ["augment.crop.padding=2", "augment.crop.mode=reflect"]
    one = images(1, shape=(3, 6, 9))
    after, _ = augmentation(compose, "crop", *overrides)(one.expand(400, -1, -1, -1), None)
    framed = torch.nn.functional.pad(one[0].float(), [2] * 4, mode="reflect").byte()
    places = {framed[:, y : y + 6, x : x + 9].numpy().tobytes() for y in range(5) for x in range(5)}
    assert {image.numpy().tobytes() for image in after} == places


def test_a_padding_larger_than_the_image_is_refused(compose):
    overrides = ["augment.crop.padding=6", "augment.crop.mode=reflect"]
    with pytest.raises(UserError, match=r"augment\.crop\.padding=5"):
        augmentation(compose, "crop", *overrides)(images(2, shape=(3, 6, 9)), None)


def test_noise_has_the_given_standard_deviation_for_features(compose):
    noise = augmentation(compose, "noise", "augment.noise.std=0.1")
    features = torch.zeros(20_000, 2)
    assert noise(features, None)[0].std().item() == pytest.approx(0.1, rel=0.02)


def test_augmentations_are_applied_in_the_order_in_which_they_are_typed(compose):
    assert list(compose("augment=[crop,flip]")["augment"]) == ["crop", "flip"]
    assert list(compose("augment=[flip,noise]")["augment"]) == ["flip", "noise"]
    assert list(compose("augment=[crop_flip,cutout]")["augment"]) == ["crop", "flip", "cutout"]


def test_crop_flip_is_crop_and_flip_with_their_options(compose):
    assert compose("augment=[crop_flip]")["augment"] == compose("augment=[crop,flip]")["augment"]
    assert compose("augment=crop_flip", "augment.crop.padding=2")["augment"]["crop"]["padding"] == 2


@pytest.mark.parametrize("override", ["augment=none", "augment=[none]", "augment=[]"])
def test_none_is_no_augmentation(override, compose):
    assert compose(override)["augment"] == {}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_large_images_are_sampled_a_few_at_a_time_to_the_same_bits(dtype):
    large = images(7, dtype, (3, 300, 310))
    grid = torch.rand(7, 40, 50, 2, generator=torch.Generator().manual_seed(1)) * 2.2 - 1.1
    values = F.grid_sample(large.float(), grid, mode="bilinear", align_corners=False)
    expected = values.clamp(0, 255)
    if dtype == torch.uint8:
        expected = expected.round().to(dtype)
    assert large[0].numel() * 2 > geometry.FLOATS_AT_A_TIME  # one at a time
    assert torch.equal(geometry.sample(large, grid, "bilinear"), expected)


def test_a_resized_crop_of_the_whole_image_is_the_image(compose):
    overrides = ["augment.resized_crop.scale=[1,1]", "augment.resized_crop.ratio=[1.2,1.2]"]
    before = images()
    after, _ = augmentation(compose, "resized_crop", *overrides)(before, None)
    assert torch.equal(after, before)


def test_windows_are_drawn_as_torchvision_draws_them():
    blank, scale, ratio = torch.zeros(4000, 1, 40, 48), (0.08, 1.0), (3 / 4, 4 / 3)
    left, top, wide, high = windows(blank, scale, ratio)
    assert ((left >= 0) & (top >= 0) & (left + wide <= 48) & (top + high <= 40)).all()
    transform = v2.RandomResizedCrop((40, 48), scale, ratio)
    drawn = [transform.make_params([blank[0]]) for _ in range(4000)]
    for ours, key in ((left, "left"), (top, "top"), (wide, "width"), (high, "height")):
        theirs = torch.tensor([float(params[key]) for params in drawn])
        assert ours.mean() == pytest.approx(theirs.mean().item(), rel=0.05)
        assert ours.std() == pytest.approx(theirs.std().item(), rel=0.05)


@pytest.mark.parametrize("shape", [(1, 40, 4), (1, 4, 40)])
def test_if_no_window_fits_the_largest_central_one_is_used(shape):
    place = windows(torch.zeros(5, *shape), (0.9, 1.0), (3 / 4, 4 / 3))[:, 0].int().tolist()
    transform = v2.RandomResizedCrop(shape[1:], (0.9, 1.0), (3 / 4, 4 / 3))
    theirs = transform.make_params([torch.zeros(shape)])
    assert place == [theirs[key] for key in ("left", "top", "width", "height")]


def test_an_affine_map_with_zero_strength_is_the_identity(compose):
    zero = [f"augment.affine.{key}=0" for key in ("degrees", "translate", "shear")]
    affine = augmentation(compose, "affine", *zero, "augment.affine.scale=[1,1]")
    before = images()
    assert torch.equal(affine(before, None)[0], before)


def test_affine_maps_fill_their_ranges_and_the_outside_is_black(compose):
    drawn = affine_module.draw_affine(torch.zeros(5000, 1, 10, 20), 10, 0.1, (0.9, 1.2), 5)
    ends = {name: (value.min().item(), value.max().item()) for name, value in drawn.items()}
    assert ends["angle"] == pytest.approx((-0.1745, 0.1745), rel=0.01)
    assert ends["right"] == pytest.approx((-2, 2), rel=0.01)
    assert ends["down"] == pytest.approx((-1, 1), rel=0.01)
    assert ends["scale"] == pytest.approx((0.9, 1.2), rel=0.01)
    assert ends["shear_x"] == pytest.approx((-0.0875, 0.0875), rel=0.01)
    white = torch.full((64, 1, 28, 28), 255, dtype=torch.uint8)
    after, _ = augmentation(compose, "affine")(white, None)
    assert (after[:, :, 13:15, 13:15] == 255).all()
    assert (after == 0).any()


def test_cutout_covers_one_square():
    blank = torch.zeros(2000, 1, 12, 16)
    hidden = cutout_module.squares(blank, 5)
    areas = hidden.sum((1, 2, 3))
    assert areas.max() == 25
    assert areas.min() == 9  # centred on a corner, two pixels are outside
    middles = torch.zeros(12, 16)
    whole = hidden[areas == 25, 0]
    for square in whole:
        y, x = square.nonzero().float().mean(0).int().tolist()
        middles[y, x] += 1
    assert (middles[2:10, 2:14] > 0).all()
    assert middles.sum() == middles[2:10, 2:14].sum()


def test_cutout_fills_with_the_mean_of_the_batch_per_channel(compose):
    before = images()
    after, _ = augmentation(compose, "cutout")(before, None)
    mean = before.float().mean((0, 2, 3)).round()
    painted = (after != before).any(1)
    assert torch.equal(after.permute(0, 2, 3, 1)[painted].float().unique(dim=0)[0], mean)


def test_a_cutout_larger_than_the_image_is_refused(compose):
    with pytest.raises(UserError, match=r"Type augment\.cutout\.length=4"):
        augmentation(compose, "cutout")(images(4, shape=(1, 8, 8)), None)
