"""timm's networks: their arguments, images they cannot take, weights of files."""

import logging
import random

import numpy as np
import pytest
import timm
import torch
from conftest import composed, prepared, same
from safetensors.torch import save_file

from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError
from dlcourse.model.timm import warn_of_small_maps
from dlcourse.schema.validate import check
from dlcourse.train.fit import train_epoch

RESNET, VIT = "model.name=test_resnet", "model.name=test_vit"


def make(*overrides, shape=(1, 64, 64), classes=10):
    return build(composed("model=timm", *overrides)["model"])(shape, classes)


def theirs(name, **given):
    return timm.create_model(name, **given)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_byobnet", "test_convnext"])
def test_a_network_is_timms_own_with_the_channels_classes_and_size_of_the_data(name):
    torch.manual_seed(1)
    ours = make(f"model.name={name}", shape=(2, 64, 64), classes=7).eval()
    given = {"img_size": 64} if name == "test_vit" else {}
    torch.manual_seed(1)
    net = theirs(name, in_chans=2, num_classes=7, **given).eval()
    images = torch.randn(3, 2, 64, 64)
    assert torch.equal(ours(images), net(images))
    assert ours(images).shape == (3, 7)
    assert same(ours, net)


def test_building_draws_from_torchs_random_numbers_alone():
    before = random.getstate(), np.random.get_state()[1].tolist()
    torch.manual_seed(1)
    first = make(VIT)
    torch.manual_seed(1)
    assert same(first, make(VIT))
    assert not same(first, make(VIT)), "the control: the next random numbers"
    assert before == (random.getstate(), np.random.get_state()[1].tolist())


def test_options_are_passed_on():
    dropped = make(RESNET, "model.options={drop_rate: 0.5, drop_path_rate: 0.2}")
    assert dropped.net.drop_rate == 0.5
    assert make(RESNET).net.drop_rate == 0


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.name=resnet81"], r"(?s)did you mean resnet18.*list_models"),
        (["model.name=resnet18.a2"], r"did you mean resnet18\.a2_in1k"),
        ([RESNET, "model.options={drop_path_rat: 0.1}"], "did you mean drop_path_rate"),
        ([RESNET, "model.options={block: 3}"], r"(?s)cannot be built.*model\.options=null"),
        ([RESNET, "model.options={num_classes: 3}"], "the data have their own classes"),
        ([RESNET, "model.options={checkpoint_path: a.pth}"], r"model\.weights=<file>"),
        ([RESNET, "model.freeze=50"], r"timm's test_resnet has \d+ blocks"),
        (["model.name=test_coatnet", "model.pretrained=true"], "no published weights"),
    ],
)
def test_wrong_names_and_options_get_one_message(overrides, message):
    with pytest.raises(UserError, match=message):
        make(*overrides)


def test_images_that_do_not_fit_are_refused_with_the_size_to_type():
    with pytest.raises(UserError, match=r"(?s)patches of 16 x 16.*size=160.*multiple of 16"):
        make(VIT, shape=(1, 28, 28))
    with pytest.raises(UserError, match=r"(?s)cannot take images of 28 x 28.*model\.size=160"):
        make("model.name=test_convnext", shape=(1, 28, 28))
    assert make(VIT, "model.size=32", shape=(1, 28, 28))(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_a_last_map_of_one_pixel_is_reported_once(caplog):
    warn_of_small_maps.cache_clear()
    with caplog.at_level(logging.WARNING):
        make(RESNET, shape=(1, 32, 32))
        make(RESNET, shape=(1, 32, 32))
        make(RESNET, shape=(1, 64, 64))
    assert caplog.text.count("1 pixel is left of 32; model.size=160") == 1


def test_only_the_output_layer_learns_with_a_frozen_backbone():
    model = make(RESNET, "model.freeze=backbone")
    learning = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert learning == ["net.fc.weight", "net.fc.bias"]
    blocks = make(RESNET, "model.freeze=2")
    assert not blocks.net.conv1[0].weight.requires_grad
    assert blocks.net.layer4[0].conv1.weight.requires_grad


def test_a_file_of_another_number_of_classes_gets_a_new_output_layer(tmp_path):
    net = theirs("test_resnet", num_classes=7)
    state = {f"module.{name}": one for name, one in net.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "seven.tar")
    ours = make(RESNET, f"model.weights={tmp_path / 'seven.tar'}", shape=(3, 64, 64))
    assert "a new output layer (fc.bias, fc.weight)" in ours.origin
    assert torch.equal(ours.net.layer1[0].conv1.weight, net.layer1[0].conv1.weight)
    assert torch.equal(ours.net.bn1.running_mean, net.bn1.running_mean)


def test_a_file_for_other_channels_and_another_size_is_adapted_as_timm_does(tmp_path):
    net = theirs("test_vit", num_classes=10, img_size=64).eval()
    save_file(net.state_dict(), tmp_path / "vit.safetensors")
    file = f"model.weights={tmp_path / 'vit.safetensors'}"
    images = torch.rand(2, 1, 64, 64)
    grey = make(VIT, file).eval()
    torch.testing.assert_close(grey(images), net(images.expand(-1, 3, -1, -1)))
    small = make(VIT, file, shape=(3, 32, 32))
    overlay = {"state_dict": dict(net.state_dict()), "num_classes": 10, "custom_load": False}
    expected = theirs(
        "test_vit", pretrained=True, pretrained_cfg_overlay=overlay, num_classes=10, img_size=32
    )
    assert small.net.pos_embed.shape == (1, 5, 64)
    torch.testing.assert_close(small.net.pos_embed, expected.pos_embed)


def test_a_file_of_another_network_is_refused_with_a_list(tmp_path):
    torch.save(theirs("test_vit").state_dict(), tmp_path / "vit.pth")
    with pytest.raises(UserError, match=r"(?s)0 of its tensors do.*only in the file: cls_token"):
        make(RESNET, f"model.weights={tmp_path / 'vit.pth'}")


def test_weights_that_cannot_be_downloaded_are_named_with_their_size(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"(?s)about 1 MB.*test_resnet\.r160.*HF_HOME"):
        make(RESNET, "model.pretrained=true")


def test_a_missing_package_is_refused_before_torch(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"pip install 'dlcourse\[timm\]'"):
        check(composed("model=timm"))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp64"])
def test_a_network_trains_in_every_precision(precision, tiny):
    overrides = ["model=timm", "model.name=test_vit", "data.size=32", "data.examples=40"]
    state, fold, recipe = prepared(tiny(*overrides, f"runtime.precision={precision}"))
    losses = [train_epoch(state, fold, recipe)["train/loss"] for _ in range(2)]
    assert np.isfinite(losses).all()
