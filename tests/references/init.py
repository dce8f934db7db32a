"""How far every initializer's weights are from the distribution that its formula states."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from references.row import Row
from scipy import stats
from torch import nn

from dlcourse.engine.instantiate import build

FANS = {"linear": (500, 400), "convolution": (40 * 25, 100 * 25)}  # in, out
ROOT2 = math.sqrt(2)  # the gain of ReLU, the default model's activation


def layers() -> dict[str, nn.Module]:
    """Return a large linear layer and a convolution of 40 to 100 maps by 5 x 5."""
    return {"linear": nn.Linear(500, 400), "convolution": nn.Conv2d(40, 100, 5)}


def drawn(compose, name: str) -> dict[str, nn.Module]:
    """Return the layers with the weights that an initializer draws."""
    torch.manual_seed(0)
    made = layers()
    for layer in made.values():
        build(compose(f"init={name}")["init"])(layer)
    return made


def distributed(name, expected):
    """Return a deviation from ``expected(fan_in, fan_out)``, a distribution of scipy's.

    It is the larger of the relative error of the variance and Kolmogorov's distance, the largest
    difference between the cumulative shares; and any bias counts in full.
    """

    def deviation(compose):
        worst = 0.0
        for kind, layer in drawn(compose, name).items():
            weight, theirs = layer.weight.detach().double().flatten(), expected(*FANS[kind])
            variance = abs(float(weight.var()) / theirs.var() - 1)
            shares = theirs.cdf(weight.sort().values.numpy())
            ranks = np.arange(1, len(shares) + 1) / len(shares)
            worst = max(worst, variance, np.abs(shares - ranks).max(), largest_bias(layer))
        return worst

    return deviation


def largest_bias(layer: nn.Module) -> float:
    """Return the largest absolute bias."""
    return float(layer.bias.detach().abs().max())


def default(compose):
    """Compare with freshly made layers, and the size of their weights with 1 / sqrt(fan_in)."""
    ours = drawn(compose, "default")
    torch.manual_seed(0)
    worst = 0.0
    for kind, theirs in layers().items():
        limit = 1 / math.sqrt(FANS[kind][0])
        for mine, other in zip(ours[kind].parameters(), theirs.parameters(), strict=True):
            worst = max(worst, float((mine - other).detach().abs().max()))
            worst = max(worst, float(mine.detach().abs().max()) - limit)
        assert theirs.weight.abs().max() > 0.999 * limit
    return worst


def constant(name, value):
    """Return a deviation from weights that are all the same."""

    def deviation(compose):
        made = drawn(compose, name).values()
        worst = max(float((layer.weight.detach() - value).abs().max()) for layer in made)
        return max(worst, *(largest_bias(layer) for layer in made))

    return deviation


def orthogonal(compose):
    """Compare W W' with 2, ReLU's squared gain, times the identity."""
    worst = 0.0
    for layer in drawn(compose, "orthogonal").values():
        rows = layer.weight.detach().double().flatten(1)
        error = rows @ rows.T - 2 * torch.eye(len(rows), dtype=torch.float64)
        worst = max(worst, float(error.abs().max()), largest_bias(layer))
    return worst


def truncated(std):
    """Return a normal distribution cut at two deviations, of the given deviation after the cut."""
    bare = stats.truncnorm(-2, 2)
    return stats.truncnorm(-2, 2, scale=std / bare.std())


def uniform(std):
    """Return a uniform distribution around 0 of the given standard deviation."""
    return stats.uniform(-std * math.sqrt(3), 2 * std * math.sqrt(3))


def normal(std):
    """Return a normal distribution around 0."""
    return stats.norm(scale=std)


def row(name, formula, shape, std):
    """Return a row for weights of a shape whose deviation follows from the fans."""
    expected = distributed(name, lambda fan_in, fan_out: shape(std(fan_in, fan_out)))
    return Row(f"{formula}: variance and distribution of 100,000 weights or more", expected, 0.01)


def from_run(compose):
    """Save a net's weights as a run does; compare what another net of the kind then has."""
    saved, other = (nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)) for _ in range(2))
    with TemporaryDirectory() as folder:
        place = Path(folder) / "checkpoints"
        place.mkdir()
        torch.save({"model": saved.state_dict()}, place / "best.pt")
        build(compose("init=from_run", f"init.run={folder}")["init"])(other)
        stored = torch.load(place / "best.pt")["model"]
    return max(float((other.state_dict()[name] - stored[name]).abs().max()) for name in stored)


def from_file(compose):
    """Save a net as DataParallel does, and in safetensors; compare what another net then has."""
    from safetensors.torch import save_file

    saved = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    worst = 0.0
    with TemporaryDirectory() as folder:
        pickled, plain = Path(folder) / "weights.pth", Path(folder) / "weights.safetensors"
        torch.save({"state_dict": nn.DataParallel(saved).state_dict()}, pickled)
        save_file(saved.state_dict(), plain)
        for file in (pickled, plain):
            other = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
            build(compose("init=from_file", f"init.file={file}")["init"])(other)
            gaps = (other.state_dict()[name] - one for name, one in saved.state_dict().items())
            worst = max([worst, *(float(one.abs().max()) for one in gaps)])
    return worst


def dirac(compose):
    """Compare the first outputs with the input maps and the others with torch's own layer."""
    worst, maps = 0.0, torch.randn(2, 4, 7, 7)
    for groups, passed in ((1, 4), (2, 4)):
        torch.manual_seed(0)
        ours = nn.Conv2d(4, 12, 3, padding=1, groups=groups)
        torch.manual_seed(0)
        theirs = nn.Conv2d(4, 12, 3, padding=1, groups=groups, bias=False)
        build(compose("init=dirac")["init"])(nn.ModuleList([ours]))
        outputs = ours(maps).detach().unflatten(1, (groups, -1))
        first = outputs[:, :, : passed // groups].flatten(1, 2)
        drawn = theirs(maps).detach().unflatten(1, (groups, -1))[:, :, passed // groups :]
        worst = max(worst, float((first - maps).abs().max()))
        worst = max(worst, float((outputs[:, :, passed // groups :] - drawn).abs().max()))
    return worst


def whitening(compose):
    """Compare the second moments of all outputs, patch by patch in numpy, with l / (l + eps)."""
    images = np.random.default_rng(0).normal(size=(40, 3, 9, 8))
    images[:, 1:] += 2 * images[:, :-1]
    images = images.astype(np.float32)
    patches = np.array(
        [one[:, y : y + 2, x : x + 2].ravel() for one in images for y in range(8) for x in range(7)]
    ).astype(np.float64)
    values = np.linalg.eigvalsh(patches.T @ patches / len(patches))[::-1]
    layer = nn.Conv2d(3, 24, 2)
    cfg = compose("init=whitening", "init.eps=0.1")
    build(cfg["init"])(layer, inputs=lambda count: torch.from_numpy(images).split(15))
    outputs = patches @ layer.weight.detach().double().numpy().reshape(24, 12).T
    products = outputs.T @ outputs / len(outputs)
    expected = np.diag(values / (values + 0.1))
    return np.abs(products - np.block([[expected, -expected], [-expected, expected]])).max()


ROWS = {
    "default": Row("torch's own layers, U(+-1/sqrt(n_in))", default, 1e-9),
    "zeros": Row("0", constant("zeros", 0.0), 0),
    "constant": Row("0.01", constant("constant", 0.01), 1e-9),
    "normal": row("normal", "N(0, 0.01^2)", normal, lambda m, n: 0.01),
    "uniform": row("uniform", "U(-0.05, 0.05), Keras's", uniform, lambda m, n: 0.05 / math.sqrt(3)),
    "lecun_normal": row("lecun_normal", "N(0, 1/n_in)", normal, lambda m, n: m**-0.5),
    "lecun_uniform": row("lecun_uniform", "U, variance 1/n_in", uniform, lambda m, n: m**-0.5),
    "xavier_normal": row(
        "xavier_normal", "N(0, 2/(n_in+n_out))", normal, lambda m, n: (2 / (m + n)) ** 0.5
    ),
    "xavier_uniform": row(
        "xavier_uniform", "U(+-sqrt(6/(n_in+n_out)))", uniform, lambda m, n: (2 / (m + n)) ** 0.5
    ),
    "he_normal": row("he_normal", "N(0, 2/n_in)", normal, lambda m, n: ROOT2 * m**-0.5),
    "he_uniform": row("he_uniform", "U(+-sqrt(6/n_in))", uniform, lambda m, n: ROOT2 * m**-0.5),
    "he_truncated": row(
        "he_truncated", "cut normal, variance 2/n_in", truncated, lambda m, n: ROOT2 * m**-0.5
    ),
    "orthogonal": Row("W W' = 2 I", orthogonal, 1e-4),
    "dirac": Row("the maps themselves; torch's draws for the rest", dirac, 1e-6),
    "whitening": Row("numpy eigvalsh, second moments of all answers", whitening, 1e-5),
    "from_run": Row("the checkpoint of a run, read with torch.load", from_run, 0),
    "from_file": Row("files of DataParallel and of safetensors", from_file, 0),
}
