"""The convolutional autoencoder: exact sizes, clean targets, where checkerboards come from."""

import dataclasses

import pytest
import torch
from conftest import prepared
from torch import nn

from dlcourse.errors import UserError
from dlcourse.model.conv_autoencoder import ConvAutoencoder
from dlcourse.schema.validate import check
from dlcourse.train.fit import train_epoch


def make(shape=(1, 28, 28), **options):
    given = {"widths": [4, 6], "kernel": 4, "code": None, "activation": "relu", "norm": "none"}
    given |= {"upsampling": "transposed"} | options
    return ConvAutoencoder(shape, shape[0] * shape[1] * shape[2], **given)


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", [(28, 28), (27, 30), (19, 17)])
def test_every_size_is_restored_exactly(size, kernel, upsampling):
    model = make((3, *size), kernel=kernel, upsampling=upsampling, widths=[4, 5, 6])
    images = torch.randn(2, 3, *size)
    maps = model.encoder(images)
    assert maps.shape[2] < size[0] / 4
    assert model.decoder(maps).shape == images.shape
    assert model(images).shape == (2, 3 * size[0] * size[1])


def test_the_decoder_has_the_sizes_of_the_encoder_in_reverse():
    model = make((1, 27, 27), kernel=3)
    down, up = [], []
    for layers, sizes, kind in ((model.encoder, down, nn.Conv2d), (model.decoder, up, nn.Module)):
        for layer in layers:
            if isinstance(layer, kind) and isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                layer.register_forward_hook(lambda _, i, o, sizes=sizes: sizes.append(o.shape[2]))
    model(torch.randn(1, 1, 27, 27))
    assert (down, up) == ([14, 7], [14, 27])
    paddings = [layer.output_padding for layer in model.decoder[::2]]
    assert paddings == [(1, 1), (0, 0)], "14 = 2 * 6 + 1 + 1, 27 = 2 * 13 + 1"


def test_the_code_is_the_only_way_through():
    model = make(code=3)
    assert model.code(model.encoder(torch.randn(5, 1, 28, 28))).shape == (5, 3)
    with torch.no_grad():
        model.code[1].weight.zero_()
        model.code[1].bias.zero_()
    first, second = model(torch.randn(2, 1, 28, 28))
    assert torch.equal(first, second)


def spread_of_a_grey_image(**options) -> float:
    """Return the spread of the outputs in the middle, with equal weights and inputs everywhere."""
    model = make((1, 32, 32), activation="identity", widths=[1, 1], **options).double()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(0.0 if name.endswith("bias") else 1.0)
        middle = model(torch.ones(1, 1, 32, 32).double()).view(32, 32)[12:20, 12:20]
    return float((middle.max() - middle.min()) / middle.mean())


def test_only_a_kernel_that_the_stride_does_not_divide_makes_a_checkerboard():
    assert spread_of_a_grey_image(kernel=4) == 0
    assert spread_of_a_grey_image(kernel=3, upsampling="resize") == 0
    assert spread_of_a_grey_image(kernel=3) > 1


def test_noise_is_added_to_the_inputs_and_the_targets_stay_clean(tiny):
    overrides = ["model=conv_autoencoder", "augment=[noise]", "augment.noise.std=0.5"]
    state, fold, recipe = prepared(tiny(*overrides))
    seen, wanted = [], []
    state.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))

    def loss(outputs, targets):
        wanted.append(targets)
        return (outputs - targets).square().mean()

    train_epoch(state, fold, dataclasses.replace(recipe, loss=loss))
    targets, inputs = torch.cat(wanted), torch.cat(seen)[: len(fold.train)].flatten(1)
    clean = fold.train.inputs.flatten(1).float() / 255
    equal = (targets[:, None] == clean).all(2)
    assert equal.any(1).all()
    assert equal.any(0).all(), "every image of the training part"
    unchanged = fold.standardize(fold.train.inputs)[equal.int().argmax(1)].flatten(1)
    noise = (inputs - unchanged) / (255 * fold.standardize.scale.mean())
    assert 0.48 < float(noise.std()) < 0.52


def test_other_targets_and_too_many_layers_are_refused(compose):
    with pytest.raises(UserError, match="model=conv_autoencoder reconstructs"):
        check(compose("model=conv_autoencoder", "data.reconstruct=false"))
    with pytest.raises(UserError, match="reconstructs its 784 inputs"):
        ConvAutoencoder(
            (1, 28, 28), 10, widths=[4], kernel=4, code=None, activation="relu", norm="none",
            upsampling="resize",
        )  # fmt: skip
    assert make(widths=[4] * 3).encoder(torch.randn(1, 1, 28, 28)).shape[2:] == (3, 3)
    with pytest.raises(UserError, match=r"(?s)32 x 32.*data\.size=32"):
        make(widths=[4] * 4)
