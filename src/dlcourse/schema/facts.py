"""What is known of a choice before torch is imported or data are read."""

import math

CLASS_LOSSES = (
    "dlcourse.loss.bce.bce",
    "dlcourse.loss.cross_entropy.cross_entropy",
    "dlcourse.loss.hinge.hinge",
    "dlcourse.loss.nll.nll",
    "dlcourse.loss.perceptron.perceptron",
    "dlcourse.loss.squared_hinge.squared_hinge",
)
SOFT_LOSSES = (  # take classes as probabilities (N, K), as mixed examples have them
    "dlcourse.loss.bce.bce",
    "dlcourse.loss.cross_entropy.cross_entropy",
    "dlcourse.loss.mse.mse",
    "dlcourse.loss.nll.nll",
)
SCORE_LOSSES = (  # whose outputs are scores or values, and no logits
    "dlcourse.loss.hinge.hinge",
    "dlcourse.loss.mse.mse",
    "dlcourse.loss.perceptron.perceptron",
    "dlcourse.loss.squared_hinge.squared_hinge",
)
YES_OR_NO_LOSSES = ("dlcourse.loss.bce.bce",)  # a sigmoid for each class instead of a softmax
CLASS_METRICS = ("accuracy", "top_k", "confusion", "average_precision", "calibration")
VALUE_METRICS = ("rmse", "r2", "noise")
REGRESSIONS = (
    "dlcourse.data.sine.sine",
    "dlcourse.data.linear.linear",
    "dlcourse.data.diabetes.diabetes",
)
TABLES = (
    *REGRESSIONS,
    "dlcourse.data.gates.gates",
    "dlcourse.data.moons.moons",
    "dlcourse.data.circles.circles",
    "dlcourse.data.blobs.blobs",
    "dlcourse.data.spirals.spirals",
    "dlcourse.data.csv.csv",
)
IMAGE_AUGMENTATIONS = (
    "flip", "alternating_flip", "crop", "resized_crop", "color_jitter", "affine", "cutout",
    "cutmix", "trivial_augment", "rand_augment",
)  # fmt: skip
IMAGE_VIEWS = ("mirror", "shift")
SOFT_TARGETS = ("mixup", "cutmix")
CLASS_MODELS = ("dlcourse.model.perceptron.Perceptron",)
FULL_BATCH = {  # take the whole training part in one step, and their names
    "dlcourse.optim.gd.gd": "gd",
    "dlcourse.optim.lbfgs.LBFGS": "lbfgs",
    "dlcourse.optim.closed_form.ClosedForm": "closed_form",
    "dlcourse.model.cascade.Cascade": "cascade",
}
OWN_STEP_MODELS = {"dlcourse.model.cascade.Cascade": "cascade"}
NO_LOSS_SCALING = (  # optimizers with a training step of their own
    "dlcourse.optim.sam.SAM",
    "dlcourse.optim.lbfgs.LBFGS",
    "dlcourse.optim.closed_form.ClosedForm",
)
OWN_LENGTH = (  # whose steps are as long as they find, or start anew in every epoch
    "dlcourse.optim.lbfgs.LBFGS",
    "dlcourse.optim.closed_form.ClosedForm",
    "dlcourse.model.cascade.Cascade",
)
SOLVABLE = (  # models that are linear in their weights
    "dlcourse.model.linear.Linear",
    "dlcourse.model.polynomial.Polynomial",
    "dlcourse.model.kernel.Kernel",
)
SIZES = {  # training examples and classes, where they are known before the data are read
    "dlcourse.data.digits.digits": (1437, 10),
    "dlcourse.data.mnist.mnist": (60_000, 10),
    "dlcourse.data.mnist.fashion_mnist": (60_000, 10),
    "dlcourse.data.mnist.kmnist": (60_000, 10),
    "dlcourse.data.cifar10.cifar10": (50_000, 10),
    "dlcourse.data.cifar10.cifar100": (50_000, 100),
    "dlcourse.data.gates.gates": (4, 2),
    "dlcourse.data.diabetes.diabetes": (353, 0),
}
GROUP_KFOLD = "dlcourse.split.group_kfold.group_kfold"
NESTED = "dlcourse.split.nested.nested"
DIVIDE_EXAMPLES = {  # splits that put a group on both sides, and their names
    "dlcourse.split.kfold.kfold": "kfold",
    "dlcourse.split.stratified_kfold.stratified_kfold": "stratified_kfold",
    "dlcourse.split.repeated_kfold.repeated_kfold": "repeated_kfold",
    NESTED: "nested",
}
NO_MAXOUT = {  # models whose activations follow sums of paths or memories, and their names
    "dlcourse.model.airbench.AirBench": "airbench",
    "dlcourse.model.cascade.Cascade": "cascade",
    "dlcourse.model.nfnet.NFNet": "nfnet",
    "dlcourse.model.resnet.ResNet": "resnet",
    "dlcourse.model.resnet_cifar.ResNetCifar": "resnet",
    "dlcourse.model.rnn.RNN": "rnn",
}
PUBLISHED = "dlcourse.model.torchvision.Torchvision"  # its weights may be a long download
MOST_WHITENED = 4096  # inputs of an example; their matrix then takes 64 MiB
SMALL_IMAGE = 64  # a shorter side gets a stem that does not shrink it at once, and small patches
SMALLEST_IMAGE = {  # sides in pixels; a model that stands here takes nothing but images
    "dlcourse.model.lenet.LeNet5": 28,
    "dlcourse.model.lenet_caffe.LeNetCaffe": 16,
    "dlcourse.model.convnet.ConvNet": 6,
    "dlcourse.model.airbench.AirBench": 9,
    "dlcourse.model.alexnet.AlexNet": 15,
    "dlcourse.model.vgg.VGG": 17,
    "dlcourse.model.googlenet.GoogLeNet": 6,
    "dlcourse.model.resnet.ResNet": 9,
    "dlcourse.model.resnet_cifar.ResNetCifar": 5,
    "dlcourse.model.nfnet.NFNet": 8,
    "dlcourse.model.rnn.RNN": 1,
    "dlcourse.model.stn.SpatialTransformer": 28,
    "dlcourse.model.torchvision.Torchvision": 1,
    "dlcourse.model.vit.ViT": 4,
}
EMNIST = {  # classes of its parts
    "balanced": 47, "bymerge": 47, "byclass": 62, "letters": 26, "digits": 10, "mnist": 10,
}  # fmt: skip

FIGURES = {  # what each metric reports, and whether larger or smaller is better
    "loss": {"loss": "min"},
    "accuracy": {"accuracy": "max"},
    "top_k": {"top_k": "max"},
    "confusion": {"precision": "max", "recall": "max", "f1": "max"},
    "average_precision": {"average_precision": "max"},
    "calibration": {"ece": "min", "mce": "min", "brier": "min"},
    "rmse": {"rmse": "min"},
    "noise": {"noise_std": "min", "beta": "max"},
    "r2": {"r2": "max"},
}

RANGES = {  # between which numbers a metric lies, where it has limits
    "accuracy": (0, 1), "top_k": (0, 1), "precision": (0, 1), "recall": (0, 1), "f1": (0, 1),
    "average_precision": (0, 1), "ece": (0, 1), "mce": (0, 1), "brier": (0, 2), "rmse": (0, None),
    "noise_std": (0, None), "beta": (0, None), "r2": (None, 1), "loss": (0, None),
}  # fmt: skip


def range_of(monitor: str) -> tuple[float | None, float | None]:
    """Return between which numbers the values of ``val/accuracy`` lie; None where no limit is."""
    return RANGES.get(monitor.rpartition("/")[2], (None, None))


def target(config: dict, group: str) -> str:
    """Return what a group's choice calls, ``dlcourse.model.lenet.LeNet5``."""
    return config.get(group, {}).get("_target_", "")


def smallest_image(config: dict) -> int | None:
    """Return the side in pixels from which on a model takes images; None for any inputs."""
    model, smallest = config["model"], SMALLEST_IMAGE.get(target(config, "model"))
    if smallest is not None and model.get("padding") == "valid" and "dilation" in model:
        return max(smallest, 4 * model["dilation"] + 2)
    return smallest


def is_regression(config: dict) -> bool:
    """Return whether the targets are known to be values and not classes."""
    data = config["data"]
    regression = target(config, "data") in REGRESSIONS or data.get("task") == "regression"
    return regression or data["reconstruct"]


def example_shape(config: dict) -> tuple[tuple[int, int, int], int] | None:
    """Return (channels, size, size) of one image and the number of outputs; None if unknown.

    It is known of the sets of images that come ready-made, before their files are there.
    """
    data = config["data"]
    _, classes = SIZES.get(target(config, "data"), (0, 0))
    if target(config, "data") == "dlcourse.data.emnist.emnist":
        classes = EMNIST[data["part"]]
    if target(config, "data") == "dlcourse.data.notmnist.notmnist":
        classes = 10
    if not classes or "size" not in data:
        return None
    shape = (data["channels"], data["size"], data["size"])
    return shape, math.prod(shape) if data["reconstruct"] else classes
