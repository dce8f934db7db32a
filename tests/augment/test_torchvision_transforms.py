"""``augment=[torchvision]``: any transform of torchvision, with one draw for every image."""

import pytest
import torch
from conftest import composed, prepared, same
from torchvision.transforms import v2

from dlcourse.augment.torchvision import (
    NO_AUGMENTATIONS,
    check_transforms,
    known_transforms,
    torchvision,
)
from dlcourse.errors import UserError
from dlcourse.schema.validate import check
from dlcourse.train.fit import train_epoch

IMAGES = torch.randint(0, 256, (6, 3, 20, 20), generator=torch.Generator().manual_seed(0)).byte()
CLASSES = torch.arange(6)


def changed(transforms, images=IMAGES, seed=0):
    torch.manual_seed(seed)
    return torchvision(images, CLASSES, transforms=transforms)[0]


@pytest.mark.parametrize(
    ("transforms", "reference"),
    [
        ("RandomPerspective", v2.RandomPerspective()),
        ([{"name": "RandomPerspective", "p": 0.9}], v2.RandomPerspective(p=0.9)),
        (
            {"name": "RandomRotation", "degrees": [5, 40], "interpolation": "bilinear"},
            v2.RandomRotation([5, 40], v2.InterpolationMode.BILINEAR),
        ),
        (
            [{"name": "Pad", "padding": 3}, {"name": "RandomCrop", "size": 20}],
            v2.Compose([v2.Pad(3), v2.RandomCrop(20)]),
        ),
        (
            {"name": "RandomApply", "transforms": ["RandomInvert"], "p": 0.5},
            v2.RandomApply([v2.RandomInvert()], p=0.5),
        ),
        (
            {"name": "AutoAugment", "policy": "cifar10"},
            v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10),
        ),
    ],
    ids=["name", "option", "enumeration", "chain", "nested", "policy"],
)
def test_every_image_is_transformed_by_a_call_of_its_own(transforms, reference):
    result = changed(transforms)
    torch.manual_seed(0)
    assert torch.equal(result, torch.stack([reference(image) for image in IMAGES]))
    torch.manual_seed(0)
    assert not torch.equal(result, reference(IMAGES)), "the control: one draw for the batch"
    assert result.dtype == torch.uint8


def test_copies_of_an_image_are_changed_differently_and_by_the_seed_alone():
    copies = IMAGES[:1].repeat(6, 1, 1, 1)
    first, again, other = (
        changed({"name": "RandomPerspective", "p": 1.0}, copies, seed) for seed in (1, 1, 2)
    )
    assert len({bytes(image.numpy()) for image in first}) == 6
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_floats_from_0_to_255_are_transformed_like_bytes():
    result = changed({"name": "ColorJitter", "brightness": 0.5}, IMAGES.float())
    assert result.dtype == torch.float32
    assert (result - changed({"name": "ColorJitter", "brightness": 0.5}).float()).abs().max() <= 1
    noisy = changed({"name": "GaussianNoise", "sigma": 0.02})
    assert noisy.dtype == torch.uint8
    assert 3 < (noisy.float() - IMAGES.float())[IMAGES.float().sub(127).abs() < 90].std() < 7


def test_every_transform_of_torchvision_is_known_or_refused_with_a_reason():
    every = {
        name
        for name, one in vars(v2).items()
        if isinstance(one, type) and issubclass(one, v2.Transform) and one is not v2.Transform
    }
    assert known_transforms().keys() == every - NO_AUGMENTATIONS.keys()
    needs = {
        "CenterCrop": {"size": 32}, "GaussianBlur": {"kernel_size": 3}, "Pad": {"padding": 0},
        "RandomAdjustSharpness": {"sharpness_factor": 2}, "RandomAffine": {"degrees": 5},
        "RandomApply": {"transforms": ["RandomInvert"]},
        "RandomChoice": {"transforms": ["RandomInvert", "RandomVerticalFlip"]},
        "Compose": {"transforms": ["RandomInvert"]}, "RandomOrder": {"transforms": ["RGB"]},
        "RandomCrop": {"size": 32}, "RandomPosterize": {"bits": 3},
        "RandomResizedCrop": {"size": 32}, "RandomRotation": {"degrees": 5},
        "RandomSolarize": {"threshold": 99}, "Grayscale": {"num_output_channels": 3},
        "RandomZoomOut": {"p": 0.0},
    }  # fmt: skip
    images = torch.full((2, 3, 32, 32), 90, dtype=torch.uint8)
    for name in known_transforms().keys() - {"JPEG"}:  # torchvision 0.29 warns of it
        torchvision(images, CLASSES[:2], transforms={"name": name} | needs.get(name, {}))


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        ("RandomPerspectiv", "did you mean RandomPerspective"),
        ({"p": 0.5}, "has no name"),
        ([], "is empty"),
        ({"name": "RandomPerspective", "probability": 1}, "no option probability"),
        ({"name": "RandomPerspective", "p": 7}, "refuses its options"),
        ("RandomPosterize", "missing 1 required"),
        ({"name": "RandomRotation", "degrees": 3, "interpolation": "cube"}, "bicubic"),
        ({"name": "RandomApply", "transforms": ["RandomInver"]}, "did you mean RandomInvert"),
        ("MixUp", "augment=mixup"),
        ("Lambda", "of your own"),
        ("Resize", r"data\.size"),
        ("Normalize", r"data\.standardize"),
    ],
)
def test_a_wrong_transform_is_refused_before_data_are_read(transforms, message):
    with pytest.raises(UserError, match=f"(?s){message}.*"):
        check_transforms(transforms=transforms)


def test_a_transform_that_changes_the_shape_is_refused():
    with pytest.raises(UserError, match=r"\(3, 20, 20\) into \(3, 22, 22\)"):
        changed({"name": "Pad", "padding": 1})


def test_bounds_take_names_and_options_only():
    for value in ("abc", "[randomInvert]", "[1]", "{p: 0.5}"):
        with pytest.raises(UserError, match=r"augment\.torchvision\.transforms"):
            check(composed("augment=[torchvision]", f"augment.torchvision.transforms={value}"))
    check(composed("augment=[torchvision]", "augment.torchvision.transforms=[RandomInvert]"))


def test_a_training_epoch_is_reproduced_by_seed_and_epoch_with_soft_targets(tiny):
    config = tiny("model=mlp", "model.widths=[8]", "augment=[torchvision,mixup]", "max_epochs=2")

    def weights():
        state, fold, recipe = prepared(config)
        train_epoch(state, fold, recipe)
        return state.model

    first = weights()
    torch.rand(7)  # an epoch starts its own random numbers
    assert same(first, weights())
    config["augment"]["torchvision"]["transforms"] = {"name": "RandomPerspective", "p": 0.9}
    assert not same(first, weights())
