"""Classic convolutional nets: parameters, image sizes and options. Outputs: ``references/``."""

import pytest
import torch
import yaml
from conftest import CONFIGS
from references.model_classic import CLASSIC, RESNET, difference, published
from torch import nn

from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError
from dlcourse.introspect.summary import summarize_model
from dlcourse.model.resnet_cifar import PaddedShortcut
from dlcourse.schema.facts import fact
from dlcourse.schema.validate import check

DESIGNS = ("alexnet", "vgg11", "googlenet", "resnet18", "resnet50", "resnet20", "plain20")
SMALL_NETS = ("lenet_caffe", "convnet")
CIFAR = {20: "0.27", 32: "0.46", 44: "0.66", 56: "0.85", 110: "1.7"}  # million parameters, table 6


def config(name):
    return yaml.safe_load((CONFIGS / f"model/{name}.yaml").read_text(encoding="utf-8"))


def make(name, shape, outputs=10, **options):
    """Return a model; width 8 if it has a width."""
    narrow = {"width": 8} if "width" in config(name) else {}
    return build(config(name) | narrow | options)(shape, outputs)


def parameters(model) -> int:
    return sum(p.numel() for p in model.parameters())


def count(model, kind) -> int:
    return sum(isinstance(layer, kind) for layer in model.modules())


def is_convolution(layer) -> bool:
    return isinstance(layer, nn.Conv2d)


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_vgg_has_the_same_tensors_as_torchvisions(depth, norm):
    ending = "_bn" if norm == "batch" else ""
    with torch.device("meta"):
        ours = make(f"vgg{depth}", (3, 224, 224), 1000, width=64, norm=norm).state_dict()
        theirs = published(f"vgg{depth}{ending}", init_weights=False).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.parametrize(
    "name", ["alexnet", "vgg16", "googlenet", "resnet18", "resnet34", "resnet50"]
)
def test_a_net_has_the_number_of_parameters_that_its_reference_states(name):
    with torch.device("meta"):
        model = make(name, (3, 224, 224), 1000, width=64)
    assert f" {parameters(model):,} " in CLASSIC[name].reference


@pytest.mark.parametrize("name", ["resnet", "plain"])
@pytest.mark.parametrize("depth", CIFAR)
def test_a_resnet_for_cifar10_has_the_number_of_parameters_in_the_paper(name, depth):
    with torch.device("meta"):
        model = make(f"{name}{depth}", (3, 32, 32), width=16)
    assert f"{parameters(model) / 1e6:.2g}" == CIFAR[depth]
    weighted = count(model, nn.Conv2d) + count(model, nn.Linear)
    assert weighted == depth


def test_caffes_lenet_has_800_features_and_431080_parameters():
    model = make("lenet_caffe", (1, 28, 28))
    assert model.features(torch.zeros(1, 1, 28, 28)).flatten(1).shape == (1, 800)
    assert parameters(model) == 431_080


def test_vgg16_with_global_average_pooling_has_15227688_parameters_and_14_by_14_maps():
    with torch.device("meta"):
        model = make("vgg16", (3, 224, 224), 1000, head="average", width=64)
        maps = model.class_activation_maps(torch.zeros(1, 3, 224, 224))
    assert parameters(model) == 14_714_688 + 512 * 1000 + 1000 == 15_227_688
    assert maps.shape == (1, 1000, 14, 14)


@pytest.mark.parametrize("size", [32, 70])
def test_the_output_is_the_mean_of_the_class_activation_map_plus_the_bias(size):
    model = make("vgg11", (3, size, size), 5, head="average", norm="batch").eval()
    images = torch.randn(2, 3, size, size)
    maps = model.class_activation_maps(images)
    bias = model.classifier[0].bias
    torch.testing.assert_close(maps.mean((2, 3)) + bias, model(images))
    features, weight = model.features(images), model.classifier[0].weight
    by_hand = sum(weight[3, c] * features[1, c] for c in range(features.shape[1]))
    torch.testing.assert_close(maps[1, 3], by_hand)


def test_class_activation_maps_of_a_dense_head_are_refused():
    with pytest.raises(UserError, match=r"model\.head=average"):
        make("vgg11", (3, 32, 32)).class_activation_maps(torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize(
    ("dilation", "padding", "maps", "field"),
    [(1, "valid", 24, 5), (3, "valid", 16, 13), (1, "same", 28, 5), (3, "same", 28, 13)],
)
def test_a_dilated_convnet_has_a_larger_field_with_as_many_parameters(
    dilation, padding, maps, field, compose
):
    overrides = (f"model.dilation={dilation}", f"model.padding={padding}", "model.norm=none")
    make_it = build(compose("model=convnet", *overrides)["model"])
    layers = summarize_model(lambda: make_it((1, 28, 28), 10), (1, 28, 28)).layers
    (second,) = (layer for layer in layers if layer.name == "features.2")
    assert second.output == (64, maps, maps)
    assert second.seen[0].size == field
    assert second.parameters == 64 * 32 * 9 + 64


@pytest.mark.parametrize(("dilation", "smallest"), [(1, 6), (2, 10), (5, 22)])
def test_the_smallest_image_of_a_dilated_convnet_is_known_before_torch(dilation, smallest, compose):
    overrides = ("model=convnet", f"model.dilation={dilation}")
    cfg = compose(*overrides, f"data.size={smallest}")
    check(cfg)
    build(cfg["model"])((1, smallest, smallest), 10)
    cfg["data"]["size"] = smallest - 1
    for refuse in (check, lambda config: build(cfg["model"])((1, smallest - 1, smallest - 1), 10)):
        with pytest.raises(UserError, match=f"data.size={smallest}"):
            refuse(cfg)


def test_the_convnet_has_9216_features():
    model = make("convnet", (1, 28, 28))
    assert model.features(torch.zeros(1, 1, 28, 28)).flatten(1).shape == (1, 9216)


@pytest.mark.parametrize(
    ("name", "override"),
    [
        ("googlenet", "model.pool=average"),
        ("vgg11", "model.activation=gelu"),
        ("resnet20", "model.activation=gelu"),
        ("lenet_caffe", "model.pool=average"),
    ],
)
def test_a_net_that_differs_from_its_reference_is_found(name, override, compose):
    assert CLASSIC[name].deviation(compose, override) > 100 * CLASSIC[name].allowed


def test_a_resnet_without_shortcuts_does_not_load_torchvisions_weights(compose):
    with pytest.raises(RuntimeError, match="Unexpected key"):
        difference("resnet18", lambda: published("resnet18"), RESNET, compose, "model.skip=false")


@pytest.mark.parametrize(
    ("name", "settings"), [("alexnet", {}), ("vgg11", {"init_weights": False})]
)
def test_a_net_equals_torchvisions_at_another_large_size(name, settings, compose):
    def reference():
        return published(name, **settings)

    assert difference(name, reference, {}, compose, shape=(3, 64, 110)) < 1e-5


@pytest.mark.parametrize("name", [*DESIGNS, *SMALL_NETS])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 41, 29), (3, 63, 70), (3, 64, 97)])
def test_a_net_takes_images_of_any_size_from_28_with_any_number_of_channels(name, shape):
    model = make(name, shape, 7).eval()
    with torch.inference_mode():
        assert model(torch.randn(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize("name", [*DESIGNS, *SMALL_NETS])
@pytest.mark.parametrize("norm", ["batch", "instance", "layer", "group"])
def test_every_network_trains_on_its_smallest_image_with_every_norm(name, norm):
    side = fact(config(name), "smallest_image")
    model = make(name, (1, side, side), norm=norm)
    model(torch.randn(2, 1, side, side)).square().sum().backward()
    gradients = [p.grad.abs().sum() for p in model.parameters()]
    assert all(gradient.isfinite() for gradient in gradients)
    assert gradients[-1] > 0


@pytest.mark.parametrize(
    ("name", "shape", "maps"),
    [
        ("resnet18", (3, 32, 32), (8, 32, 32)),
        ("resnet18", (3, 224, 224), (8, 56, 56)),
        ("googlenet", (1, 28, 28), (24, 28, 28)),
        ("googlenet", (3, 224, 224), (24, 28, 28)),
    ],
)
def test_the_stem_keeps_the_size_of_small_images_and_reduces_large_ones(name, shape, maps):
    model = make(name, shape).eval()
    with torch.inference_mode():
        assert model.stem(torch.randn(1, *shape)).shape == (1, *maps)


def test_alexnet_has_smaller_filters_and_fewer_hidden_units_for_small_images():
    with torch.device("meta"):
        small, large = (make("alexnet", (3, side, side), width=64) for side in (63, 64))
    assert [net.features[0].kernel_size for net in (small, large)] == [(5, 5), (11, 11)]
    assert [net.classifier[-1].in_features for net in (small, large)] == [512, 4096]


@pytest.mark.parametrize("name", DESIGNS)
def test_width_sets_the_channels_of_the_first_convolution(name):
    convolutions = [
        next(filter(is_convolution, make(name, (3, 32, 32), width=width).modules()))
        for width in (4, 12)
    ]
    assert [layer.out_channels for layer in convolutions] == [4, 12]


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "googlenet", *SMALL_NETS])
def test_each_pooling_gives_different_outputs(name):
    images, outputs = torch.rand(2, 1, 28, 28), []
    for pool in ("max", "average", "sum", "stochastic"):
        torch.manual_seed(0)
        with torch.no_grad():
            outputs.append(make(name, (1, 28, 28), pool=pool).eval()(images))
    pairs = [(a, b) for i, a in enumerate(outputs) for b in outputs[:i]]
    assert not any(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "googlenet", *SMALL_NETS])
def test_dropout_layers_exist_only_for_positive_probabilities(name):
    assert count(make(name, (1, 28, 28), dropout=0.5), nn.Dropout) > 0
    assert count(make(name, (1, 28, 28), dropout=0.0), nn.Dropout) == 0


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet20"])
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_a_convolution_before_a_norm_has_no_bias(name, norm):
    layers = filter(is_convolution, make(name, (3, 32, 32), norm=norm).modules())
    assert all((layer.bias is None) == (norm == "batch") for layer in layers)


def test_blocks_with_zero_weights_are_the_identity_in_a_residual_net_and_zero_in_a_plain_net():
    residual = make("resnet20", (3, 32, 32), skip=True)
    plain = make("resnet20", (3, 32, 32), skip=False)
    plain.load_state_dict(residual.state_dict())
    for net in (residual, plain):
        for stage in net.stages:
            for block in stage:
                nn.init.zeros_(block.layers[-1].weight)  # the last batch norm's scale
    maps = torch.rand(2, 8, 32, 32)
    with torch.no_grad():
        assert torch.equal(residual.stages(maps)[:, :8], maps[:, :, ::4, ::4])
        assert not residual.stages(maps)[:, 8:].any()
        assert not plain.stages(maps).any()


def test_a_plain_resnet18_has_no_shortcuts():
    residual, plain = (make("resnet18", (3, 32, 32), skip=skip) for skip in (True, False))
    missing = residual.state_dict().keys() - plain.state_dict().keys()
    assert missing
    assert all(".shortcut." in name for name in missing)


def test_a_shortcut_without_parameters_subsamples_and_pads_with_zero_channels():
    maps = torch.arange(9.0).view(1, 1, 3, 3)
    found = PaddedShortcut()(maps)
    assert found.tolist() == [[[[0, 2], [6, 8]], [[0, 0], [0, 0]]]]


@pytest.mark.parametrize(("depth", "suggested"), [(18, 20), (3, 8), (111, 110), (50, 50)])
def test_a_resnet_for_cifar10_must_have_6n_plus_2_layers(depth, suggested):
    if depth == suggested:
        assert count(make("resnet20", (3, 32, 32), depth=depth), nn.Conv2d) == depth - 1
        return
    with pytest.raises(UserError, match=rf"model\.depth={suggested}$"):
        make("resnet20", (3, 32, 32), depth=depth)


@pytest.mark.parametrize("name", [*DESIGNS, "vgg19", "resnet34", *SMALL_NETS])
def test_an_error_names_the_model_as_it_was_typed(name):
    with pytest.raises(UserError, match=f"model={name} needs images"):
        make(name, (4,))
    with pytest.raises(UserError, match=f"model={name} needs images of"):
        make(name, (1, 4, 4))
