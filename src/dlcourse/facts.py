"""What is known of a choice before torch is imported or data are read."""

CLASS_LOSSES = ("dlcourse.loss.cross_entropy.cross_entropy", "dlcourse.loss.hinge.hinge")
CLASS_METRICS = ("accuracy", "top_k", "confusion")
VALUE_METRICS = ("rmse", "r2")
REGRESSIONS = ("dlcourse.data.sine.sine",)
TABLES = ("dlcourse.data.moons.moons", "dlcourse.data.sine.sine")
SIZES = {  # training examples and classes, where they are known before the data are read
    "dlcourse.data.digits.digits": (1437, 10),
    "dlcourse.data.mnist.mnist": (60_000, 10),
    "dlcourse.data.mnist.fashion_mnist": (60_000, 10),
    "dlcourse.data.cifar10.cifar10": (50_000, 10),
}
SMALLEST_PICTURE = {  # sides in pixels; a model that stands here takes nothing but pictures
    "dlcourse.model.lenet.LeNet5": 28,
}

FIGURES = {  # what each metric reports, and whether larger or smaller is better
    "loss": {"loss": "min"},
    "accuracy": {"accuracy": "max"},
    "top_k": {"top_k": "max"},
    "confusion": {"precision": "max", "recall": "max", "f1": "max"},
    "rmse": {"rmse": "min"},
    "r2": {"r2": "max"},
}
