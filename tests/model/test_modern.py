"""Transformers, recurrent and normaliser-free nets, and the models beyond convolution."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError
from dlcourse.model.nfnet import ScaledConv2d
from dlcourse.schema.bounds import ACTIVATION_NAMES
from dlcourse.schema.facts import fact

SMALL = {  # small enough to test every activation in milliseconds
    "vit": ["model.width=24", "model.depth=1", "model.hidden=16"],
    "rnn": ["model.hidden=16"],
    "stn": [],
    "autoencoder": ["model.hidden=16"],
    "nfnet": ["model.widths=[8,12]", "model.depth=1"],
}
SHAPES = [(1, 28, 28), (3, 32, 32), (3, 36, 48), (3, 64, 80)]
SIZED = [
    "vit", "rnn", "stn", "autoencoder", "nfnet", "airbench", "torchvision", "perceptron",
    "polynomial", "kernel", "linear",
]  # fmt: skip


def make(compose, name, shape, outputs, *overrides):
    return build(compose(f"model={name}", *overrides)["model"])(shape, outputs)


def outputs_for(name, shape):
    return math.prod(shape) if name == "autoencoder" else 10


def moves(model, shape, outputs):
    """Return whether two steps change the output layer and leave every weight finite."""
    before = [weight.detach().clone() for weight in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(model(torch.randn(4, *shape)), torch.arange(4) % outputs).backward()
        optimizer.step()
    moved = [not torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True)]
    return moved[-1] and sum(moved) >= 2 and all(w.isfinite().all() for w in model.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_a_model_trains_two_steps_with_every_activation(name, compose):
    cfg, shape = compose(f"model={name}", *SMALL[name]), (1, 28, 28)
    for activation in set(ACTIVATION_NAMES) - (
        set() if fact(cfg["model"], "maxout") else {"maxout"}
    ):
        cfg["model"]["activation"] = activation
        model = build(cfg["model"])(shape, outputs_for(name, shape))
        assert moves(model, shape, outputs_for(name, shape)), activation


@pytest.mark.parametrize("name", SIZED)
def test_a_model_takes_small_large_and_rectangular_images(name, compose):
    build_model = build(compose(f"model={name}", *SMALL.get(name, []))["model"])
    for shape in SHAPES:
        size = outputs_for(name, shape)
        assert build_model(shape, size)(torch.randn(4, *shape)).shape == (4, size)


@pytest.mark.parametrize("name", SMALL)
def test_dropout_layers_exist_for_positive_probabilities(name, compose):
    cfg, shape = compose(f"model={name}", *SMALL[name]), (1, 28, 28)
    for dropout in (0.0, 0.5):
        cfg["model"]["dropout"] = dropout
        model = build(cfg["model"])(shape, outputs_for(name, shape))
        assert any(isinstance(layer, nn.Dropout) for layer in model.modules()) == (dropout > 0)


@pytest.mark.parametrize("name", ["vit", "rnn", "stn", "nfnet", "airbench", "torchvision"])
def test_a_model_of_images_refuses_a_table(name, compose):
    with pytest.raises(UserError, match="model=mlp"):
        make(compose, name, (4,), 2)


# the Vision Transformer


def test_the_patches_of_a_vit_are_4_pixels_for_images_below_64_and_16_from_64_on(compose):
    build_model = build(compose("model=vit", *SMALL["vit"])["model"])
    for size, patch in [(28, 4), (32, 4), (63 // 4 * 4, 4), (64, 16), (224, 16)]:
        model = build_model((3, size, size), 10)
        assert model.embedding.weight.shape[-2:] == (patch, patch)
        assert model.positions.shape[1] == (size // patch) ** 2 + 1


@pytest.mark.parametrize(
    ("shape", "patch", "remedy"),
    [
        ((1, 30, 30), "null", r"data\.size=32 or model\.patch=3"),
        ((1, 31, 31), "null", r"data\.size=32$"),
        ((3, 32, 48), "12", r"data\.size=48 or model\.patch=8"),
        ((3, 8, 8), "16", r"data\.size=16 or model\.patch=8"),
    ],
)
def test_a_vit_refuses_images_that_its_patches_do_not_divide(shape, patch, remedy, compose):
    with pytest.raises(UserError, match=remedy):
        make(compose, "vit", shape, 10, f"model.patch={patch}")


def test_a_vit_refuses_a_width_that_its_heads_or_positions_do_not_divide(compose):
    with pytest.raises(UserError, match=r"model\.heads=2 or model\.width=195"):
        make(compose, "vit", (1, 28, 28), 10, "model.width=194", "model.heads=3")
    with pytest.raises(UserError, match=r"model\.width=28 or model\.positions=learned"):
        make(compose, "vit", (1, 28, 28), 10, "model.width=27", "model.positions=sinusoidal")


def test_sinusoidal_positions_are_sines_and_cosines_of_row_and_column(compose):
    overrides = ["model.positions=sinusoidal", "model.width=24"]
    model = make(compose, "vit", (1, 12, 20), 10, *overrides)
    assert "positions" not in dict(model.named_parameters())
    assert model.positions[0, 0].eq(0).all()
    for row in range(3):
        for column in range(5):
            waves = [
                wave(place / 10_000 ** (number / 6))
                for place in (column, row)
                for wave in (math.sin, math.cos)
                for number in range(6)
            ]
            place = 1 + 5 * row + column
            assert model.positions[0, place].tolist() == pytest.approx(waves, abs=1e-5)


def test_one_dimensional_positions_are_those_of_vaswani_et_al(compose):
    """Vaswani et al. 2017, section 3.5, by hand; the class token is the first of 16."""
    overrides = ["model.positions=sinusoidal_1d", "model.width=6", "model.heads=1"]
    model = make(compose, "vit", (1, 12, 20), 10, *overrides)
    assert "positions" not in dict(model.named_parameters())
    assert model.positions.shape == (1, 16, 6)
    for place in range(16):
        waves = []
        for pair in range(3):
            angle = place / 10_000 ** (2 * pair / 6)
            waves += [math.sin(angle), math.cos(angle)]
        assert model.positions[0, place].tolist() == pytest.approx(waves, abs=1e-5)
    with pytest.raises(UserError, match=r"model\.width=28 or model\.positions=learned"):
        make(compose, "vit", (1, 28, 28), 10, "model.width=27", overrides[0])


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "sinusoidal_1d", "none at all"])
def test_without_positions_a_vit_is_invariant_to_the_order_of_patches(positions, compose):
    overrides = SMALL["vit"] if positions == "none at all" else [f"model.positions={positions}"]
    model = make(compose, "vit", (1, 8, 8), 10, *overrides).eval()
    nn.init.normal_(model.output.weight)
    if positions == "none at all":
        model.positions.data.zero_()
    images = torch.randn(2, 1, 8, 8)
    exchanged = torch.cat([images[:, :, 4:], images[:, :, :4]], dim=2)
    same = torch.allclose(model(images), model(exchanged), atol=1e-5)
    assert same == (positions == "none at all")


def test_attention_is_the_mean_of_the_values_with_its_weights(compose):
    attention = make(compose, "vit", (1, 28, 28), 10).blocks[0].attention
    tokens = torch.randn(2, 50, 192)
    weights = attention.weights(tokens)
    assert weights.shape == (2, 3, 50, 50)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 50))
    _, _, values = attention.split(tokens)
    means = (weights @ values).transpose(1, 2).reshape(2, 50, 192)
    torch.testing.assert_close(attention.output(means), attention(tokens))


def test_the_outputs_of_an_untrained_vit_are_zero(compose):
    model = make(compose, "vit", (1, 28, 28), 10)
    assert model(torch.randn(2, 1, 28, 28)).eq(0).all()


# the recurrent net


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_the_outputs_of_an_rnn_depend_on_the_first_row(cell, compose):
    model = make(compose, "rnn", (1, 28, 28), 10, f"model.cell={cell}")
    images = torch.randn(2, 1, 28, 28)
    changed = images.clone()
    changed[:, :, 0] = 0
    assert not torch.equal(model(images), model(changed))


def test_an_rnn_with_zero_recurrent_weights_depends_only_on_the_last_row(compose):
    model = make(compose, "rnn", (1, 28, 28), 10)
    images = torch.randn(2, 1, 28, 28)
    changed = images.clone()
    changed[:, :, :-1] = 0
    assert not torch.equal(model(images), model(changed)), "the control: its state matters"
    model.recurrent.weight.data.zero_()
    assert torch.equal(model(images), model(changed))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_gate_keeps_the_state_or_replaces_it_with_the_new_row(cell, compose):
    """A GRU with update gate 1 keeps its state 0; an LSTM with forget gate 0 sees the last row."""
    model = make(compose, "rnn", (1, 28, 28), 10, f"model.cell={cell}", "model.hidden=5")
    model.recurrent.weight.data.zero_()
    gates = model.input.bias.data.unflatten(0, (-1, 5))
    gates[1] = 100.0 if cell == "gru" else -100.0
    images = torch.randn(2, 1, 28, 28)
    changed = images.clone()
    changed[:, :, :-1] = 0
    assert torch.equal(model(images), model(changed))
    if cell == "gru":
        torch.testing.assert_close(model(images), model.output.bias.expand(2, 10))


# the spatial transformer


@pytest.mark.parametrize("init", ["default", "he_uniform", "normal", "zeros"])
def test_an_untrained_spatial_transformer_is_the_identity_with_every_init(init, compose):
    cfg = compose("model=stn", f"init={init}")
    model = build(cfg["model"])((1, 28, 28), 10)
    build(cfg["init"])(model)
    images = torch.randn(3, 1, 28, 28)
    assert torch.equal(model.affine(images), torch.eye(2, 3).expand(3, 2, 3))
    torch.testing.assert_close(model.transform(images), images, atol=5e-5, rtol=0)


def test_a_spatial_transformer_learns_to_move_images(compose):
    model = make(compose, "stn", (1, 28, 28), 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    images, aims = torch.zeros(8, 1, 28, 28), torch.zeros(8, 1, 28, 28)
    for number in range(8):
        images[number, :, 8 + number : 12 + number, 8:12] = 1
    aims[:, :, 12:16, 8:12] = 1
    before = F.mse_loss(model.transform(images), aims).item()
    for _ in range(60):
        optimizer.zero_grad()
        F.mse_loss(model.transform(images), aims).backward()
        optimizer.step()
    assert F.mse_loss(model.transform(images), aims).item() < before / 2


# the autoencoder


def test_model_autoencoder_sets_targets_loss_and_metric(compose):
    cfg = compose("model=autoencoder")
    assert cfg["data"]["reconstruct"]
    assert cfg["loss"]["_target_"] == "dlcourse.loss.mse.mse"
    assert set(cfg["metric"]) == {"rmse"}
    assert (cfg["monitor"], cfg["mode"]) == ("val/loss", "min")


def test_an_autoencoder_refuses_class_targets(compose):
    with pytest.raises(UserError, match=r"data\.reconstruct=true"):
        make(compose, "autoencoder", (1, 28, 28), 10)


# the perceptron


def rosenblatt(compose, targets, epochs):
    """Train a perceptron on the four points of a gate; return the last epoch's errors."""
    cfg = compose("model=perceptron")
    model, loss = build(cfg["model"])((2,), 2), build(cfg["loss"], "class_weight")
    build(cfg["init"])(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg["optim"]["lr"])
    points = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    mistakes = 0
    for epoch in range(epochs):
        for point, target in zip(points, targets, strict=True):
            outputs = model(point[None])
            mistakes += int(epoch == epochs - 1 and outputs.argmax() != target)
            optimizer.zero_grad()
            loss(outputs, torch.tensor([target])).backward()
            optimizer.step()
    return mistakes


@pytest.mark.parametrize("targets", [[0, 0, 0, 1], [0, 1, 1, 1]], ids=["AND", "OR"])
def test_the_perceptron_learns_linearly_separable_classes(targets, compose):
    assert rosenblatt(compose, targets, 20) == 0


def test_the_perceptron_never_learns_xor(compose):
    assert rosenblatt(compose, [0, 1, 1, 0], 100) > 0


def test_the_perceptron_has_one_neuron_for_two_classes_and_predicts_0_on_its_boundary(compose):
    model = make(compose, "perceptron", (2,), 2)
    assert sum(weight.numel() for weight in model.parameters()) == 3
    nn.init.zeros_(model.output.weight)
    nn.init.zeros_(model.output.bias)
    assert model(torch.randn(5, 2)).argmax(1).eq(0).all()
    assert make(compose, "perceptron", (2,), 3).output.weight.shape == (3, 2)


# fixed features


@pytest.mark.parametrize("name", ["linear", "polynomial", "kernel"])
def test_a_linear_model_is_its_output_layer_on_its_features(name, compose):
    model = make(compose, name, (1, 8, 8), 10)
    inputs = torch.randn(3, 1, 8, 8)
    features = model.features(inputs)
    assert features.shape == (3, model.output.in_features)
    assert torch.equal(model.output(features), model(inputs))
    assert set(dict(model.named_parameters())) == {"output.weight", "output.bias"}


def test_random_features_approximate_the_gaussian_kernel_better_with_more_features(compose):
    points = torch.randn(30, 4)
    kernel = torch.exp(-(torch.cdist(points, points) ** 2) / 4)  # gamma = null: 1 / features
    errors = []
    for width in (100, 10_000):
        features = make(compose, "kernel", (4,), 2, f"model.width={width}").features(points)
        errors.append((features @ features.T - kernel).square().mean().sqrt().item())
    assert errors[1] == pytest.approx(errors[0] / 10, rel=0.5)


def test_random_features_are_stored_with_the_weights_and_fixed_by_the_seed(compose):
    cfg = compose("model=kernel", "init=normal")
    first, second, other = (build(cfg["model"]) for _ in range(3))
    torch.manual_seed(1)
    first = first((4,), 2)
    torch.manual_seed(1)
    second, other = second((4,), 2), other((4,), 2)
    build(cfg["init"])(second)
    assert torch.equal(first.frequencies, second.frequencies)
    assert not torch.equal(first.frequencies, other.frequencies)
    assert {"frequencies", "phases"} <= first.state_dict().keys()


# the normaliser-free net


def variances(model, size):
    """Return the variance of the signal after the stem and after each block, without borders."""
    seen = []
    layers = [model.stem, *model.blocks]
    hooks = [layer.register_forward_hook(lambda *got: seen.append(got[2])) for layer in layers]
    with torch.no_grad():
        model(torch.randn(8, 3, size, size))
    for hook in hooks:
        hook.remove()
    inner = [maps[:, :, 2:-2, 2:-2].transpose(0, 1).flatten(1) for maps in seen]
    return [maps.var(1).mean().item() for maps in inner]


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
def test_an_nfnet_keeps_the_variance_of_its_signals(activation, compose):
    overrides = ["model.widths=[64,64]", "model.depth=4", f"model.activation={activation}"]
    model = make(compose, "nfnet", (3, 32, 32), 10, *overrides)
    expected = [1.0, *(1 + 0.04 * number for number in [1, 2, 3, 4] * 2)]
    assert variances(model, 32) == pytest.approx(expected, rel=0.15)


def test_without_the_gain_an_nfnet_loses_the_variance_of_its_signals(compose):
    overrides = ["model.widths=[64,64]", "model.depth=4"]
    model = make(compose, "nfnet", (3, 32, 32), 10, *overrides)
    for layer in model.modules():
        if isinstance(layer, ScaledConv2d):
            layer.gain = 1.0
    assert variances(model, 32)[-1] < 0.6


@pytest.mark.parametrize("init", ["default", "normal", "he_normal"])
def test_scaled_filters_have_mean_0_and_variance_gain_squared_over_fan_in(init, compose):
    cfg = compose("model=nfnet", f"init={init}")
    model = build(cfg["model"])((3, 32, 32), 10)
    build(cfg["init"])(model)
    for layer in model.modules():
        if isinstance(layer, ScaledConv2d):
            filters = layer.filters().detach().flatten(1)
            torch.testing.assert_close(filters.mean(1), torch.zeros(len(filters)))
            fan_in = filters.shape[1]
            variance = torch.full((len(filters),), layer.gain**2 / fan_in)
            torch.testing.assert_close(filters.var(1, correction=0), variance, rtol=0.01, atol=0)


def test_an_nfnet_has_no_norm_and_clips_its_gradients(compose):
    cfg = compose("model=nfnet")
    assert cfg["clip"]["_target_"] == "dlcourse.clip.agc.agc"
    norms = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
    assert not any(isinstance(m, norms) for m in build(cfg["model"])((1, 28, 28), 10).modules())


def test_airbench_needs_a_width_and_its_norms_train_only_shifts_by_default(compose):
    with pytest.raises(UserError, match=r"model\.widths=\[64,256,256\]"):
        make(compose, "airbench", (3, 32, 32), 10, "model.widths=[]")
    overrides = ["model.widths=[8,8,8]", "model.norm_momentum=0.3"]
    for learns in (False, True):
        model = make(compose, "airbench", (1, 9, 9), 10, *overrides, f"model.norm_weight={learns}")
        norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
        assert {norm.weight.requires_grad for norm in norms} == {learns}
        assert all(norm.bias.requires_grad and norm.momentum == 0.3 for norm in norms)
