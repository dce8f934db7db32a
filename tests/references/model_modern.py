"""The models other than classic convolutional nets, against libraries and formulas by hand."""

from functools import partial

import numpy as np
import torch
from references.row import Row
from scipy import special
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.engine.instantiate import build
from dlcourse.schema.validate import NOT_ARGUMENTS

VIT = {  # torchvision's names to ours, one after the other
    "encoder.layers.encoder_layer_": "blocks.", "encoder.pos_embedding": "positions",
    "encoder.ln.": "norm.", "conv_proj.": "embedding.", "heads.head.": "output.",
    ".ln_1.": ".norm1.", ".ln_2.": ".norm2.", ".self_attention.in_proj_": ".attention.qkv.",
    ".self_attention.out_proj.": ".attention.output.", ".mlp.0.": ".mlp.0.", ".mlp.3.": ".mlp.3.",
}  # fmt: skip


def make(compose, name: str, shape: tuple[int, ...], outputs: int, *overrides: str) -> nn.Module:
    """Make a model from its config with random numbers in every weight, biases included."""
    model = build(compose(f"model={name}", *overrides)["model"])(shape, outputs).eval()
    random = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        if weight.dim() <= 1:
            weight.data += 0.1 * torch.randn(weight.shape, generator=random)
    return model


def arrays(model: nn.Module) -> dict[str, np.ndarray]:
    """Return a model's weights by name."""
    return {name: value.double().numpy() for name, value in model.state_dict().items()}


def gap(outputs: Tensor, expected: np.ndarray | Tensor) -> float:
    """Return the largest difference; fails where the shapes differ."""
    outputs, expected = outputs.detach().numpy(), np.asarray(expected)
    assert outputs.shape == expected.shape
    return float(np.abs(outputs - expected).max())


def vit(
    name: str, pixels: int, patch: int, size: tuple[int, ...], parameters: int, compose
) -> float:
    """Compare with torchvision's class at the same size; size: depth, heads, width, hidden."""
    from torchvision.models import VisionTransformer

    theirs = VisionTransformer(pixels, patch, *size, num_classes=1000).eval()
    assert sum(weight.numel() for weight in theirs.parameters()) == parameters
    nn.init.normal_(theirs.class_token)
    nn.init.normal_(theirs.heads.head.weight, std=size[2] ** -0.5)
    state = {}
    for key, value in theirs.state_dict().items():
        for their, our in VIT.items():
            key = key.replace(their, our)
        state[key] = value
    with torch.device("meta"):
        ours = build(compose(f"model={name}")["model"])((3, pixels, pixels), 1000).eval()
    ours.load_state_dict(state, assign=True)
    images = torch.randn(1, 3, pixels, pixels)
    with torch.inference_mode():
        return gap(ours(images), theirs(images))


def rnn(compose) -> float:
    """Compare each cell with torch's, by the names of its weights; our biases are sums of two."""
    largest = 0.0
    images = torch.randn(4, 3, 28, 20)
    rows = torch.stack([images[:, :, row].flatten(1) for row in range(28)], dim=1)
    for cell, kind in {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}.items():
        ours = make(compose, "rnn", (3, 28, 20), 10, f"model.cell={cell}")
        theirs = kind(60, 128, batch_first=True)
        no_bias = torch.zeros_like(theirs.bias_hh_l0)
        weights = {
            "weight_ih_l0": ours.input.weight,
            "weight_hh_l0": ours.recurrent.weight,
            "bias_ih_l0": ours.input.bias,
            "bias_hh_l0": no_bias if ours.recurrent.bias is None else ours.recurrent.bias,
        }
        theirs.load_state_dict(weights)
        states, _ = theirs(rows)
        largest = max(largest, gap(ours(images), ours.output(states[:, -1]).detach()))
    return largest


def sampled(image: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return an image (C, H, W) sampled where an affine map (2, 3) of its grid points."""
    _, height, width = image.shape
    result = np.empty_like(image)
    for row in range(height):
        for column in range(width):
            x, y = (2 * column + 1) / width - 1, (2 * row + 1) / height - 1
            x, y = affine @ [x, y, 1]
            x = np.clip(((x + 1) * width - 1) / 2, 0, width - 1)  # beyond it is as at the border
            y = np.clip(((y + 1) * height - 1) / 2, 0, height - 1)
            left, top = min(int(x), width - 2), min(int(y), height - 2)
            across, down = x - left, y - top
            upper = image[:, top, left] * (1 - across) + image[:, top, left + 1] * across
            lower = image[:, top + 1, left] * (1 - across)
            lower = lower + image[:, top + 1, left + 1] * across
            result[:, row, column] = upper * (1 - down) + lower * down
    return result


def stn(compose) -> float:
    """Compare with the images themselves at the start, then with a turn sampled by hand."""
    model = build(compose("model=stn")["model"])((2, 28, 30), 10)
    images = torch.randn(2, 2, 28, 30)
    at_start = gap(model.transform(images), images)
    model, images = model.double(), images.double()
    nn.init.normal_(model.map_weight)
    model.map_bias.data = torch.tensor([0.8, -0.6, 0.1, 0.6, 0.8, -0.2]).double()
    maps = model.affine(images).detach().numpy()
    assert np.abs(maps[0] - maps[1]).max() > 0.01, "every image should have a map of its own"
    by_hand = [sampled(*both) for both in zip(images.numpy(), maps, strict=True)]
    return max(at_start, gap(model.transform(images), np.stack(by_hand)))


def autoencoder(compose) -> float:
    model = make(compose, "autoencoder", (1, 28, 28), 784)
    weights = arrays(model)
    assert sum(weight.size for weight in weights.values()) == 2 * 256 * 784 + 256 + 784
    inputs = torch.randn(4, 1, 28, 28)
    flat = inputs.double().numpy().reshape(4, 784)
    hidden = np.maximum(flat @ weights["hidden.weight"].T + weights["hidden.bias"], 0)
    return gap(model(inputs), hidden @ weights["output.weight"].T + weights["output.bias"])


def conv_autoencoder(compose) -> float:
    """Compute both convolutions pixel by pixel, for an odd size, and their transposes likewise."""
    options = ["model.widths=[3,2]", "model.kernel=3", "model.code=4"]
    model = make(compose, "conv_autoencoder", (2, 9, 6), 2 * 9 * 6, *options)
    weights, images = arrays(model), torch.randn(2, 2, 9, 6)
    maps = images.double().numpy()
    for layer in (0, 2):
        maps = np.maximum(reduced(maps, *both(weights, f"encoder.{layer}")), 0)
    code = maps.reshape(2, -1) @ weights["code.1.weight"].T + weights["code.1.bias"]
    maps = np.maximum(code @ weights["expand.0.weight"].T + weights["expand.0.bias"], 0)
    maps = np.maximum(enlarged(maps.reshape(2, 2, 3, 2), *both(weights, "decoder.0"), (5, 3)), 0)
    return gap(model(images), enlarged(maps, *both(weights, "decoder.2"), (9, 6)).reshape(2, -1))


def both(weights: dict[str, np.ndarray], layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the filters and the biases of a layer."""
    return weights[f"{layer}.weight"], weights[f"{layer}.bias"]


def reduced(maps: np.ndarray, filters: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Apply 3 x 3 filters (out, in, 3, 3) at every second pixel of maps (N, in, H, W)."""
    padded = np.pad(maps, [(0, 0), (0, 0), (1, 1), (1, 1)])
    rows, columns = ((side + 1) // 2 for side in maps.shape[2:])
    result = np.empty((len(maps), len(filters), rows, columns))
    for row, column in np.ndindex(rows, columns):
        patch = padded[:, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        result[:, :, row, column] = np.einsum("ncij,ocij->no", patch, filters) + bias
    return result


def enlarged(
    maps: np.ndarray, filters: np.ndarray, bias: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Add a filter (in, out, 3, 3), times a pixel, around every second pixel of an image."""
    rows, columns = size
    result = np.zeros((len(maps), filters.shape[1], rows + 3, columns + 3))
    for row, column in np.ndindex(*maps.shape[2:]):
        written = np.einsum("nc,coij->noij", maps[:, :, row, column], filters)
        result[:, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3] += written
    return result[:, :, 1 : rows + 1, 1 : columns + 1] + bias[:, None, None]


def perceptron(compose) -> float:
    """Train on AND; compare the weights after every step with Rosenblatt's rule by hand."""
    cfg = compose("model=perceptron")
    assert (cfg["batch_size"], cfg["init"]["_target_"]) == (1, "dlcourse.init.zeros.zeros")
    model, loss = build(cfg["model"])((2,), 2), build(cfg["loss"], "class_weight")
    build(cfg["init"])(model)
    optimizer = build(cfg["optim"], *NOT_ARGUMENTS["optim"])(model.parameters())
    points = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    weight, bias, largest, mistakes = np.zeros(2), 0.0, 0.0, 0
    for point in [*range(4)] * 8:
        target = int(points[point].all())
        prediction = int(weight @ points[point] + bias > 0)
        weight = weight + cfg["optim"]["lr"] * (target - prediction) * points[point]
        bias = bias + cfg["optim"]["lr"] * (target - prediction)
        mistakes += target != prediction
        optimizer.zero_grad()
        inputs = torch.tensor(points[point : point + 1], dtype=torch.float32)
        loss(model(inputs), torch.tensor([target])).backward()
        optimizer.step()
        largest = max(largest, gap(model.output.weight, weight[None]))
        largest = max(largest, gap(model.output.bias, np.array([bias])))
    assert mistakes > 3
    return largest


def polynomial(compose) -> float:
    model = make(compose, "polynomial", (2,), 3, "model.order=9")
    weights, inputs = arrays(model), torch.rand(20, 2) * 2 - 1
    expected = weights["output.bias"] * np.ones((20, 1))
    coefficients = weights["output.weight"].reshape(3, 2, 9)
    for output in range(3):
        for feature in range(2):
            from_the_highest = [*coefficients[output, feature, ::-1], 0.0]
            values = np.polyval(from_the_highest, inputs[:, feature].double().numpy())
            expected[:, output] += values
    return gap(model(inputs), expected)


def kernel(compose) -> float:
    """Compare features with scikit-learn's of the same waves, and their products with the bump."""
    from sklearn.kernel_approximation import RBFSampler
    from sklearn.metrics.pairwise import rbf_kernel

    theirs = RBFSampler(gamma=0.3, n_components=4000, random_state=0)
    points = np.random.default_rng(0).normal(size=(10, 5))
    theirs.fit(points)
    model = make(compose, "kernel", (5,), 2, "model.gamma=0.3", "model.width=4000")
    inputs = torch.from_numpy(points).float()
    own = model.features(inputs)
    bump = np.abs((own @ own.T).numpy() - rbf_kernel(points, gamma=0.3)).max()
    assert bump < 4 / np.sqrt(4000), "further off than chance allows"
    model.frequencies = torch.from_numpy(theirs.random_weights_.T).float()
    model.phases = torch.from_numpy(theirs.random_offset_).float()
    return gap(model.features(inputs), theirs.transform(points))


def nfnet(compose) -> float:
    """Compare with the net written out, its filters standardised and its signals scaled by hand."""
    model = make(compose, "nfnet", (3, 32, 32), 10).double()
    weights = arrays(model)
    relu_gain = np.sqrt(2 / (1 - 1 / np.pi))

    def conv(maps: Tensor, name: str, gain: float, stride: int = 1) -> Tensor:
        weight = weights[f"{name}.weight"]
        filters = weight.reshape(len(weight), -1)
        mean, spread = filters.mean(1), filters.std(1) * np.sqrt(filters.shape[1])
        filters = (filters.T - mean) / spread * weights[f"{name}.scale"] * gain
        filters = torch.from_numpy(filters.T.reshape(weight.shape).copy())
        bias = torch.from_numpy(weights[f"{name}.bias"])
        return F.conv2d(maps, filters, bias, stride, weight.shape[-1] // 2)

    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    maps = conv(images, "stem.0", 1.0)
    # two blocks each of 32, 64 and 128 maps; a stage's first block sets the variance back to 1
    expected_variance = [1, 1.04, 1.08, 1.04, 1.08, 1.04]
    for number, variance in enumerate(expected_variance):
        stride = 2 if number in (2, 4) else 1
        block, signal = f"blocks.{number}", F.relu(maps / np.sqrt(variance))
        if number % 2 == 0:
            maps = conv(signal, f"{block}.shortcut", relu_gain, stride)
        branch = F.relu(conv(signal, f"{block}.conv1", relu_gain, stride))
        maps = maps + 0.2 * conv(branch, f"{block}.conv2", relu_gain)
    pooled = F.relu(maps).mean((2, 3)).numpy()
    return gap(model(images), pooled @ weights["output.weight"].T + weights["output.bias"])


def airbench(compose) -> float:
    """Compare with the nets for 94 and 96 % written out, in training, norms by numpy."""
    worst = 0.0
    for overrides, count in (
        ([], 1_972_792),
        (["model.widths=[128,512,512]", "model.depth=3", "model.residual=true"], 12_721_208),
    ):
        model = make(compose, "airbench", (3, 32, 32), 10, *overrides).double().train()
        assert sum(weight.numel() for weight in model.parameters()) == count
        weights, depth = arrays(model), 3 if overrides else 2
        images = torch.randn(3, 3, 32, 32, dtype=torch.float64)

        def conv(maps: np.ndarray, name: str, padding: int, weights: dict = weights) -> np.ndarray:
            filters = torch.from_numpy(weights[name])
            return F.conv2d(torch.from_numpy(maps), filters, None, 1, padding).numpy()

        def norm(maps: np.ndarray, name: str, weights: dict = weights) -> np.ndarray:
            mean, variance = (f(maps, axis=(0, 2, 3), keepdims=True) for f in (np.mean, np.var))
            factor, shift = (weights[f"{name}.{one}"][:, None, None] for one in ("weight", "bias"))
            return (maps - mean) / np.sqrt(variance + 1e-12) * factor + shift

        def gelu(maps: np.ndarray) -> np.ndarray:
            return maps * special.ndtr(maps)

        bias = weights["whitening.bias"][:, None, None]
        maps = gelu(conv(images.numpy(), "whitening.weight", 0) + bias)  # (N, 24, 31, 31)
        for number in range(3):
            group = f"groups.{number}"
            maps = conv(maps, f"{group}.convolutions.0.weight", 1)
            side = maps.shape[-1] // 2
            maps = maps[..., : 2 * side, : 2 * side].reshape(*maps.shape[:2], side, 2, side, 2)
            maps = first = gelu(norm(maps.max((3, 5)), f"{group}.norms.0"))
            for more in range(1, depth):
                maps = norm(conv(maps, f"{group}.convolutions.{more}.weight", 1),
                            f"{group}.norms.{more}")  # fmt: skip
                maps = gelu(maps + first if overrides and more == depth - 1 else maps)
        outputs = maps.max((2, 3)) @ weights["output.weight"].T / 9
        worst = max(worst, gap(model(images), outputs))
        running = model.groups[2].norms[1].running_mean
        assert running.abs().max() > 0
    return worst


def torchvision(compose) -> float:
    """Compare with torchvision's own resnet18 from the same seed, up to its last layer."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    theirs = resnet18().eval()
    theirs.fc = nn.Identity()
    torch.manual_seed(0)
    ours = build(compose("model=torchvision")["model"])((1, 64, 64), 10).eval()
    images = torch.randn(2, 1, 64, 64)
    return gap(ours.features(images), theirs(torch.cat([images] * 3, dim=1)).detach())


def timm(compose) -> float:
    """Compare with timm's own networks of the same seed, one of them for another image size."""
    from timm import create_model

    worst = 0.0
    for name, given in (("test_resnet", {}), ("test_vit", {"img_size": 64})):
        torch.manual_seed(0)
        theirs = create_model(name, in_chans=1, num_classes=10, **given).eval()
        torch.manual_seed(0)
        config = compose("model=timm", f"model.name={name}")["model"]
        ours, images = build(config)((1, 64, 64), 10).eval(), torch.randn(2, 1, 64, 64)
        worst = max(worst, gap(ours(images), theirs(images).detach()))
    return worst


def vit_row(name: str, pixels: int, patch: int, size: tuple[int, ...], parameters: int) -> Row:
    text = f"torchvision VisionTransformer, {parameters:,} parameters, outputs at {pixels}"
    return Row(text, partial(vit, name, pixels, patch, size, parameters), 1e-5)


MODERN = {
    "vit": vit_row("vit", 32, 4, (6, 3, 192, 768), 2_884_648),
    "vit_tiny": vit_row("vit_tiny", 32, 4, (12, 3, 192, 768), 5_553_832),
    "vit_small": vit_row("vit_small", 32, 4, (12, 6, 384, 1536), 21_723_496),
    "vit_base": vit_row("vit_base", 224, 16, (12, 12, 768, 3072), 86_567_656),
    "rnn": Row("torch.nn.RNN, GRU and LSTM with the same weights, row by row", rnn, 1e-6),
    "stn": Row("identity at the start; a turn sampled by hand in numpy", stn, 5e-5),
    "autoencoder": Row("numpy, 402,448 parameters", autoencoder, 1e-5),
    "conv_autoencoder": Row(
        "numpy: filters added pixel by pixel, for 9 x 6 pixels", conv_autoencoder, 1e-5
    ),
    "perceptron": Row("Rosenblatt's rule by hand, eight epochs of AND", perceptron, 1e-7),
    "polynomial": Row("numpy.polyval, order 9", polynomial, 1e-5),
    "kernel": Row("scikit-learn RBFSampler and rbf_kernel", kernel, 1e-6),
    "nfnet": Row("standardised filters and scaled signals by numpy", nfnet, 1e-7),
    "airbench": Row("both nets written out in numpy, 2 and 12.7 million", airbench, 1e-9),
    "torchvision": Row("torchvision resnet18 of the same seed, before its head", torchvision, 1e-6),
    "timm": Row("timm test_resnet and test_vit of the same seed", timm, 1e-7),
}
