"""Saliency, integrated gradients, Grad-CAM and occlusion agree with Captum's."""

from copy import deepcopy

import pytest
import torch
from captum import attr
from torch import nn

from dlcourse.core import Standardize
from dlcourse.engine.trained_model import TrainedModel
from dlcourse.layer.class_activation import class_activation_maps
from dlcourse.look.gradcam import class_evidence, last_unpooled
from dlcourse.look.integrated_gradients import integrated_gradients
from dlcourse.look.layers import LookLayer, layers_that_ran
from dlcourse.look.occlusion import places, probability_lost
from dlcourse.look.saliency import input_gradient
from dlcourse.model.vgg import VGG

CLOSE = {"rtol": 1e-5, "atol": 1e-8}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Softplus(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(96, 5),
    )  # fmt: skip
    standardize = Standardize(torch.full((3, 1, 1), 120.0), torch.full((3, 1, 1), 1 / 60))
    return TrainedModel(network, standardize, torch.Tensor.contiguous).eval()


@pytest.fixture(scope="module")
def images():
    draw = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (4, 3, 12, 12), dtype=torch.uint8, generator=draw)


CLASSES = torch.tensor([0, 3, 4, 1])


def test_saliency_agrees_with_captum(model, images):
    own = input_gradient(model, images, CLASSES)
    given = images.float().requires_grad_()
    reference = attr.Saliency(model).attribute(given, target=CLASSES, abs=False)
    torch.testing.assert_close(own, reference, **CLOSE)


def test_the_gradient_is_by_the_raw_pixels_and_agrees_with_a_difference_quotient(model, images):
    own = input_gradient(model, images, CLASSES)
    exact, step = deepcopy(model).double(), 1e-4
    more, less = images.double(), images.double()
    more[0, 1, 5, 6] += step
    less[0, 1, 5, 6] -= step
    with torch.no_grad():
        quotient = (exact(more)[0, 0] - exact(less)[0, 0]) / (2 * step)
    assert float(own[0, 1, 5, 6]) == pytest.approx(float(quotient), rel=1e-4)


def test_integrated_gradients_agree_with_captum(model, images):
    baseline = torch.zeros(1, 3, 12, 12)
    own = integrated_gradients(model, images, CLASSES, baseline, steps=20)
    reference = attr.IntegratedGradients(model).attribute(
        images.float(), baseline, target=CLASSES, n_steps=20, method="riemann_middle"
    )
    torch.testing.assert_close(own, reference, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_integrated_gradients_add_up_to_the_difference_of_the_outputs(model, images):
    baseline = torch.zeros(1, 3, 12, 12)
    with torch.enable_grad():
        own = integrated_gradients(model, images, CLASSES, baseline, steps=200)
    rows = torch.arange(4)
    rise = model(images)[rows, CLASSES] - model(baseline)[0, CLASSES]
    torch.testing.assert_close(own.sum((1, 2, 3)), rise, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("number", [2, 3])
def test_gradcam_agrees_with_captum(model, images, number):
    layer = LookLayer(str(number), model.network[number], ())
    own = class_evidence(model.network, layer, model, images, CLASSES)
    reference = attr.LayerGradCam(model, model.network[number]).attribute(
        images.float().requires_grad_(), target=CLASSES, relu_attributions=True
    )
    assert own.max() > 0
    torch.testing.assert_close(own, reference[:, 0].detach(), **CLOSE)


def test_gradcam_before_an_inplace_activation_is_that_of_the_convolution(model, images):
    convolution = model.network[4]
    own = class_evidence(model.network, LookLayer("4", convolution, ()), model, images, CLASSES)
    model.network[5].inplace = False
    reference = attr.LayerGradCam(model, convolution).attribute(
        images.float().requires_grad_(), target=CLASSES, relu_attributions=True
    )
    model.network[5].inplace = True
    torch.testing.assert_close(own, reference[:, 0].detach(), **CLOSE)


def test_class_activation_maps_are_a_special_case_of_gradcam():
    options = {"activation": "relu", "norm": "none", "pool": "max", "dropout": 0.0}
    model = VGG(
        (3, 64, 64), 5, convolutions=[2, 2, 3, 3, 3], width=4, head="average", **options
    ).eval()
    for layer in model.features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    images = torch.rand(1, 3, 64, 64).expand(5, -1, -1, -1)
    layers = layers_that_ran(model, images[:1])
    layer = last_unpooled([one for one in layers if len(one.shape) == 3 and one.shape[1] > 1])
    classes = torch.arange(5)
    own = class_evidence(model, layer, model, images, classes)
    with torch.no_grad():
        maps = class_activation_maps(model.features(images), model.classifier[0].weight)
    positions = maps.shape[2] * maps.shape[3]
    expected = maps[torch.arange(5), classes].relu() / positions
    assert expected.max() > 0
    torch.testing.assert_close(own, expected, **CLOSE)


@pytest.mark.parametrize(("patch", "stride"), [(4, 4), (4, 2)])
def test_occlusion_agrees_with_captum(model, images, patch, stride):
    def probabilities(some):
        return model(some).softmax(1)

    own = probability_lost(probabilities, images, CLASSES, patch, stride)
    given = images.float()
    mean = given.mean((2, 3), keepdim=True).expand_as(given)
    reference = attr.Occlusion(probabilities).attribute(
        given, (3, patch, patch), (3, stride, stride), baselines=mean, target=CLASSES
    )
    torch.testing.assert_close(own, reference[:, 0].float(), rtol=1e-4, atol=1e-6)


def test_patches_cover_the_whole_side():
    assert places(10, 4, 3) == [0, 3, 6]
    assert places(11, 4, 3) == [0, 3, 6, 7]
    assert places(4, 4, 1) == [0]
