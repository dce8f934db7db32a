"""Keys of a config that must fit each other; each rule yields what is wrong and what to type."""

from collections.abc import Iterator
from pathlib import Path

from dlcourse.error import nearest
from dlcourse.facts import (
    CLASS_LOSSES,
    CLASS_METRICS,
    FIGURES,
    REGRESSIONS,
    SIZES,
    SMALLEST_PICTURE,
    TABLES,
    VALUE_METRICS,
)


def target(config: dict, group: str) -> str:
    """Return what a group's choice calls, ``dlcourse.model.lenet.LeNet5``."""
    return config.get(group, {}).get("_target_", "")


def nesterov_needs_momentum(config: dict) -> Iterator[str]:
    """Nesterov's method looks ahead along the momentum."""
    optim = config["optim"]
    if optim.get("nesterov") and not optim.get("momentum"):
        yield (
            "optim=nesterov needs a momentum above 0, got "
            f"optim.momentum={optim.get('momentum')}.\n"
            "Type optim.momentum=0.9, or optim=sgd for no momentum"
        )
    if optim.get("nesterov") and optim.get("dampening"):
        yield "optim=nesterov allows no dampening.\nType optim.dampening=0"


def gradient_descent_takes_everything(config: dict) -> Iterator[str]:
    """On mini-batches it would be stochastic gradient descent."""
    batch_size = config["batch_size"]
    if target(config, "optim") == "dlcourse.optim.gd.gd" and batch_size != "full":
        yield (
            f"optim=gd takes the whole training part in one step, got batch_size={batch_size}.\n"
            "Type batch_size=full, or optim=sgd for mini-batches"
        )


def monitor_is_measured(config: dict) -> Iterator[str]:
    """The best epoch, early stopping and sweeps need the monitored figure."""
    monitor, mode = config["monitor"], config["mode"]
    known = {f"{split}/loss": "min" for split in ("train", "val")}
    for name, metric in config["metric"].items():
        splits = ("train", "val") if metric.get("training") else ("val",)
        # of a user's own metric we know no direction
        for figure, better in FIGURES.get(name, {name: mode}).items():
            known |= {f"{split}/{figure}": better for split in splits}
    if monitor not in known:
        yield (
            f"monitor={monitor} is not measured in this run; {nearest(monitor, known)}.\n"
            "Type one of them, or add a metric"
        )
    elif known[monitor] != mode:
        yield (
            f"mode={mode} would take the worst {monitor} for the best.\n"
            f"Type monitor={monitor} mode={known[monitor]}"
        )


def monitor_needs_validation(config: dict) -> Iterator[str]:
    """Without a validation part nothing can be chosen by it."""
    if config["split"].get("fraction") == 0 and config["monitor"].startswith("val/"):
        yield (
            f"split.fraction=0 leaves no validation part, and monitor={config['monitor']} and "
            "stop need one.\n"
            "Type split.fraction=0.2, or stop=never monitor=train/loss mode=min"
        )


def stopping_needs_validation(config: dict) -> Iterator[str]:
    """Early stopping on the training loss would never see overfitting."""
    patient = target(config, "stop") == "dlcourse.stop.patience.patience"
    if patient and config["split"].get("fraction") == 0:
        yield (
            "stop=patience needs a validation part, and split.fraction=0 leaves none.\n"
            "Type split.fraction=0.2, or stop=never"
        )


def loss_and_metrics_fit_the_task(config: dict) -> Iterator[str]:
    """Classes have no RMSE, and values no classes."""
    data = target(config, "data")
    if data in REGRESSIONS:
        if target(config, "loss") in CLASS_LOSSES:
            name = target(config, "loss").split(".")[-1]
            yield (f"loss={name} is for classes, and this data set is a regression.\nType loss=mse")
        wrong = [name for name in config["metric"] if name in CLASS_METRICS]
        if wrong:
            yield (
                f"metric={wrong[0]} is for classes, and this data set is a regression.\n"
                "Type 'metric=[rmse,r2]'"
            )
        if target(config, "split") == "dlcourse.split.stratified_kfold.stratified_kfold":
            yield (
                "split=stratified_kfold spreads classes evenly, and a regression has none.\n"
                "Type split=kfold"
            )
    elif data.startswith("dlcourse.data."):
        wrong = [name for name in config["metric"] if name in VALUE_METRICS]
        if wrong:
            yield (
                f"metric={wrong[0]} is for a regression, and this data set has classes.\n"
                "Type 'metric=[accuracy]'"
            )


def model_fits_the_inputs(config: dict) -> Iterator[str]:
    """Convolutions need pictures, and pictures large enough for them."""
    smallest = SMALLEST_PICTURE.get(target(config, "model"))
    size = config["data"].get("size")
    name = target(config, "model").split(".")[-1]
    if smallest is not None and target(config, "data") in TABLES:
        yield (
            f"{name} needs pictures, and this data set is a table of numbers.\n"
            "Type model=mlp, or choose a data set of pictures"
        )
    elif smallest is not None and size is not None and size < smallest:
        yield (
            f"{name} needs pictures of {smallest} x {smallest} or more, got data.size={size}.\n"
            f"Type data.size={smallest}, or choose another model"
        )


def augmentation_fits_the_inputs(config: dict) -> Iterator[str]:
    """Only pictures can be mirrored and shifted."""
    wrong = [name for name in config["augment"] if name in ("flip", "crop")]
    if wrong and target(config, "data") in TABLES:
        yield (
            f"augment={wrong[0]} is for pictures, and this data set is a table of numbers.\n"
            "Type 'augment=[noise]' or 'augment=[]'"
        )


def norm_fits_the_model(config: dict) -> Iterator[str]:
    """Some averages would be over a single number."""
    norm = config["model"].get("norm")
    if norm == "instance" and target(config, "model") == "dlcourse.model.mlp.MLP":
        yield (
            "model.norm=instance averages over a picture's pixels, and an MLP's units have none.\n"
            "Type model.norm=layer"
        )
    if norm == "batch" and config["batch_size"] == 1:
        yield (
            "model.norm=batch averages over a batch, and batch_size=1 leaves nothing to average.\n"
            "Type batch_size=2 or more, or model.norm=layer"
        )


def warmup_fits_the_epochs(config: dict) -> Iterator[str]:
    """The schedule proper needs some epochs as well."""
    epochs, length = config["max_epochs"], config["schedule"].get("warmup", 0)
    if length >= epochs:
        yield (
            f"schedule.warmup={length} epochs leave nothing of max_epochs={epochs}.\n"
            f"Type a schedule.warmup below {epochs}"
        )


def examples_suffice(config: dict) -> Iterator[str]:
    """There must be so many examples, one for each class, and one for each fold."""
    data, folds = config["data"], config["split"].get("folds")
    known, classes = SIZES.get(data.get("_target_"), (data.get("train_examples"), 2))
    kept = data["examples"]
    if kept and known and not classes <= kept <= known:
        yield (
            f"data.examples={kept} cannot be kept of {known} training examples in {classes} "
            f"classes.\nType a number from {classes} to {known}"
        )
    examples = kept or known
    if folds and examples and folds > examples:
        yield (
            f"split.folds={folds} is more than the {examples} examples there are.\n"
            f"Type split.folds={examples} or less"
        )


def half_precision_needs_a_gpu(config: dict) -> Iterator[str]:
    """fp16 on the CPU is slow and hardly supported; bf16 is there for it."""
    runtime = config["runtime"]
    if runtime.get("precision") == "fp16" and runtime.get("device") == "cpu":
        yield "runtime.precision=fp16 needs CUDA.\nType runtime.precision=bf16"


def picture_folder_exists(config: dict) -> Iterator[str]:
    """A folder of one's own cannot be downloaded."""
    data = config["data"]
    if target(config, "data") == "dlcourse.data.image_folder.image_folder":
        folder = Path(data["root"]).expanduser() / data["folder"]
        if not folder.is_dir():
            yield (
                f"The picture folder {folder} is not there.\n"
                "Type data.root=<folder>, a folder with one folder of pictures per class"
            )


RULES = (
    gradient_descent_takes_everything,
    nesterov_needs_momentum,
    monitor_needs_validation,
    stopping_needs_validation,
    loss_and_metrics_fit_the_task,
    model_fits_the_inputs,
    augmentation_fits_the_inputs,
    monitor_is_measured,
    norm_fits_the_model,
    warmup_fits_the_epochs,
    examples_suffice,
    half_precision_needs_a_gpu,
    picture_folder_exists,
)
