"""Rates that fall from a model's last layer to its first."""

import pytest
import timm
import torch
import torchvision
from conftest import composed, prepared
from timm.optim import param_groups_layer_decay

from dlcourse.engine.instantiate import build
from dlcourse.optim.groups import parameter_groups
from dlcourse.optim.layer_decay import layer_factors, layers_of

MODELS = {  # the number of layers, and of the first one's and the last one's parameters
    "torchvision vit_b_16": (14, ["class_token", "conv_proj.weight"], ["encoder.ln.weight"]),
    "torchvision resnet18": (10, ["conv1.weight", "bn1.weight"], ["fc.weight"]),
    "torchvision googlenet": (15, ["conv1.conv.weight", "conv1.bn.bias"], ["fc.bias"]),
    "torchvision convnext_tiny": (23, ["features.0.0.weight"], ["classifier.0.weight"]),
    "timm swin_tiny_patch4_window7_224": (17, ["patch_embed.proj.bias"], ["head.fc.weight"]),
    "own mlp": (2, ["hidden.0.weight", "hidden.0.bias"], ["output.weight"]),
    "own resnet20": (11, ["stem.0.weight", "stem.1.bias"], ["output.weight"]),
    "own vit": (8, ["positions", "embedding.bias"], ["norm.weight", "output.bias"]),
    "own lenet": (5, ["features.0.weight"], ["classifier.4.bias"]),
    "own linear": (1, ["output.weight"], ["output.bias"]),
}


def made(name):
    """Return a model without values."""
    library, name = name.split()
    with torch.device("meta"):
        if library == "timm":
            return timm.create_model(name)
        if library == "torchvision":
            more = {"aux_logits": True, "init_weights": False} if name == "googlenet" else {}
            return torchvision.models.get_model(name, weights=None, **more)
        return build(composed(f"model={name}")["model"])((3, 32, 32), 10)


@pytest.mark.parametrize("name", MODELS)
def test_a_layer_is_a_matrix_with_its_norm_or_a_block(name):
    count, first, last = MODELS[name]
    model = made(name)
    layers = layers_of(model)
    assert len(layers) == count
    assert set(first) <= set(layers[0])
    assert set(last) <= set(layers[-1])
    every = [one for layer in layers for one in layer]
    assert sorted(every) == sorted(one for one, _ in model.named_parameters())


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "beit_base_patch16_224"])
def test_the_factors_are_those_of_timm(name):
    """timm has the last norm of its ViT in the last block; here it is in the head, as in BEiT."""
    model = made(f"timm {name}")
    names = {id(one): name for name, one in model.named_parameters()}
    groups = param_groups_layer_decay(model, layer_decay=0.5)
    theirs = {names[id(one)]: group["lr_scale"] for group in groups for one in group["params"]}
    theirs |= dict.fromkeys(theirs.keys() & {"norm.weight", "norm.bias"}, 1.0)
    assert layer_factors(model, 0.5) == theirs


def test_the_factor_falls_by_the_decay_from_each_layer_to_the_one_before():
    model = made("own lenet")
    factors = layer_factors(model, 0.5)
    assert factors["classifier.4.weight"] == 1
    assert factors["classifier.2.bias"] == 0.5
    assert factors["features.0.weight"] == 0.5**4
    assert layer_factors(model, 1.0) == {}


def test_rates_by_name_multiply_those_by_depth():
    model = made("own mlp")
    groups = parameter_groups(model, 0.0, False, {"hidden.*": 3.0}, [], layer_decay=0.5)
    names = {id(one): name for name, one in model.named_parameters()}
    rates = {names[id(one)]: group["rate"] for group in groups for one in group["params"]}
    assert rates["hidden.0.weight"] == 1.5
    assert rates["output.weight"] == 1


def test_a_run_has_the_rates_of_its_layers(tiny):
    state, *_ = prepared(tiny("model=mlp", "optim.layer_decay=0.5", "optim.lr=0.1"))
    rates = {group["initial_lr"] for group in state.optimizer.param_groups}
    assert rates == {0.05, 0.1}
