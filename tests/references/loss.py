"""How far every loss is from its formula or from PyTorch's."""

import numpy as np
import torch
from references.row import Row
from sklearn.metrics import mean_pinball_loss
from torch import nn
from torchvision.ops import sigmoid_focal_loss

from dlcourse.engine.instantiate import build

CLASSES = 4


def example():
    """Return outputs (9, 4), classes (9,), class probabilities (9, 4)."""
    generator = torch.Generator().manual_seed(0)
    outputs = 3 * torch.randn(9, CLASSES, generator=generator, dtype=torch.float64)
    mixed = torch.rand(9, CLASSES, generator=generator, dtype=torch.float64)
    classes = torch.randint(CLASSES, (9,), generator=generator)
    return outputs, classes, mixed / mixed.sum(1, keepdim=True)


def eye(classes):
    """Return one-hot vectors."""
    return np.eye(CLASSES)[classes.numpy()]


def log_softmax(outputs):
    """Return log(e^f / sum e^f)."""
    exponentials = np.exp(outputs.numpy())
    return np.log(exponentials / exponentials.sum(1, keepdims=True))


def likelihood(outputs, truth):
    """Return minus the mean of log p, weighted with one-hot or mixed targets."""
    return -(truth * log_softmax(outputs)).sum(1).mean()


def binary(outputs, truth):
    """Return the mean of -t log p - (1 - t) log(1 - p), p being the sigmoid."""
    p = 1 / (1 + np.exp(-outputs.numpy()))
    return -(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean()


def largest(*differences):
    """Return the largest absolute difference between pairs of numbers."""
    return max(abs(float(ours) - float(theirs)) for ours, theirs in differences)


def cross_entropy(compose):
    outputs, classes, mixed = example()
    plain = build(compose("loss=cross_entropy")["loss"], "class_weight")
    smooth = build(
        compose("loss=cross_entropy", "loss.label_smoothing=0.1")["loss"], "class_weight"
    )
    softened = 0.9 * eye(classes) + 0.1 / CLASSES
    return largest(
        (plain(outputs, classes), likelihood(outputs, eye(classes))),
        (plain(outputs, mixed), likelihood(outputs, mixed.numpy())),
        (smooth(outputs, classes), likelihood(outputs, softened)),
    )


def both_targets(name, formula):
    """Return a deviation for a loss of classes and of class probabilities."""

    def deviation(compose):
        outputs, classes, mixed = example()
        ours = build(compose(f"loss={name}")["loss"], "class_weight")
        return largest(
            (ours(outputs, classes), formula(outputs, eye(classes))),
            (ours(outputs, mixed), formula(outputs, mixed.numpy())),
        )

    return deviation


def margin(name, power):
    """Return a deviation from MultiMarginLoss, which divides by the number of classes."""

    def deviation(compose):
        outputs, classes, _ = example()
        differences = []
        for width in (1.0, 0.5):
            ours = build(compose(f"loss={name}", f"loss.margin={width}")["loss"], "class_weight")
            theirs = nn.MultiMarginLoss(p=power, margin=width)
            differences.append((ours(outputs, classes), CLASSES * theirs(outputs, classes)))
        return largest(*differences)

    return deviation


def perceptron(compose):
    """Compare 30 steps of a threshold neuron (0, w x) with w + a (d - y) x, example by example."""
    ours = build(compose("loss=perceptron")["loss"], "class_weight")
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(30, 3, generator=generator, dtype=torch.float64)
    wanted = torch.randint(2, (30,), generator=generator)
    weight = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    theirs, corrections = np.zeros(3), 0
    for x, d in zip(inputs, wanted, strict=True):
        outputs = torch.stack([torch.zeros((), dtype=torch.float64), weight @ x])[None]
        (slope,) = torch.autograd.grad(ours(outputs, d[None]), weight)
        weight = (weight - 0.5 * slope).detach().requires_grad_()
        y = 1 if theirs @ x.numpy() > 0 else 0
        theirs += 0.5 * (int(d) - y) * x.numpy()
        corrections += int(d) != y
    assert 5 < corrections < 30
    outputs, classes, _ = example()
    f = outputs.numpy()
    value = np.mean([row.max() - row[y] for row, y in zip(f, classes.tolist(), strict=True)])
    return max(
        np.abs(weight.detach().numpy() - theirs).max(), largest((ours(outputs, classes), value))
    )


def mse(compose):
    outputs, classes, mixed = example()
    ours = build(compose("loss=mse")["loss"], "class_weight")
    return largest(
        (ours(outputs, classes), np.mean((outputs.numpy() - eye(classes)) ** 2)),
        (ours(outputs, mixed), nn.MSELoss()(outputs, mixed)),
    )


def focal(compose):
    """Compare with torchvision's focal loss, and with binary cross-entropy for gamma=0."""
    outputs, classes, _ = example()
    one_hot = torch.from_numpy(eye(classes))
    differences = []
    for gamma, alpha in ((2.0, None), (0.5, 0.25), (0.0, None)):
        more = [f"loss.gamma={gamma}", f"loss.alpha={'null' if alpha is None else alpha}"]
        ours = build(compose("loss=focal", *more)["loss"], "class_weight")
        theirs = sigmoid_focal_loss(
            outputs, one_hot, alpha=-1 if alpha is None else alpha, gamma=gamma, reduction="mean"
        )
        differences.append((ours(outputs, classes), theirs))
    return largest(*differences, (ours(outputs, classes), binary(outputs, eye(classes))))


def focal_softmax(compose):
    outputs, classes, mixed = example()
    ours = build(compose("loss=focal_softmax", "loss.gamma=1.5")["loss"], "class_weight")
    logs = log_softmax(outputs)
    return largest(
        *(
            (ours(outputs, targets), -(truth * (1 - np.exp(logs)) ** 1.5 * logs).sum(1).mean())
            for targets, truth in ((classes, eye(classes)), (mixed, mixed.numpy()))
        )
    )


def of_values(name, theirs, *more):
    """Return a deviation of a loss of values from another one of the same arguments."""

    def deviation(compose):
        outputs, _, targets = example()
        ours = build(compose("data=diabetes", f"loss={name}", *more)["loss"], "class_weight")
        return largest((ours(outputs, targets), theirs(outputs, targets)))

    return deviation


ROWS = {
    "focal": Row("torchvision.ops.sigmoid_focal_loss; gamma 0: bce", focal, 1e-12),
    "focal_softmax": Row("its formula in numpy, mixed too", focal_softmax, 1e-12),
    "huber": Row(
        "torch SmoothL1Loss times delta",
        of_values("huber", lambda f, t: 0.7 * nn.SmoothL1Loss(beta=0.7)(f, t), "loss.delta=0.7"),
        1e-12,
    ),
    "mae": Row("torch L1Loss", of_values("mae", nn.L1Loss()), 1e-12),
    "quantile": Row(
        "scikit-learn's mean_pinball_loss",
        of_values("quantile", lambda f, t: mean_pinball_loss(t, f, alpha=0.9), "loss.q=0.9"),
        1e-12,
    ),
    "cross_entropy": Row("its formula in numpy, smoothed and mixed too", cross_entropy, 1e-12),
    "nll": Row("-log softmax in numpy", both_targets("nll", likelihood), 1e-12),
    "bce": Row("its formula in numpy", both_targets("bce", binary), 1e-12),
    "mse": Row("its formula in numpy, torch MSELoss", mse, 1e-12),
    "hinge": Row("torch MultiMarginLoss times the classes", margin("hinge", 1), 1e-12),
    "squared_hinge": Row("torch MultiMarginLoss, p = 2", margin("squared_hinge", 2), 1e-12),
    "perceptron": Row("Rosenblatt's update by hand, 30 examples", perceptron, 1e-12),
}
