"""Rules about what is measured, and on which examples."""

from collections.abc import Iterator

from dlcourse.errors import nearest
from dlcourse.schema.facts import reports_of, sizes_of, target
from dlcourse.schema.rules.splitting import NESTED


def monitor_is_measured(config: dict) -> Iterator[str]:
    """The best epoch, early stopping and sweeps need the monitored value."""
    monitor, mode = config["monitor"], config["mode"]
    known = {f"{split}/loss": "min" for split in ("train", "val")}
    for name, metric in config["metric"].items():
        splits = ("train", "val") if metric.get("training") else ("val",)
        # a user's own metric that declares nothing reports one value of its own name
        for value, better in (reports_of(metric) or {name: mode}).items():
            known |= {f"{split}/{value}": better for split in splits}
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
    """A monitor of the validation part needs a validation part."""
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


def examples_suffice(config: dict) -> Iterator[str]:
    """The number of examples to keep is at least one for each class and at most all of them."""
    data = config["data"]
    known, classes = sizes_of(data)
    kept = data["examples"]
    least = max(classes, 2)
    if kept and known and not least <= kept <= known:
        among = f" in {classes} classes" if classes else ""
        yield (
            f"data.examples={kept} cannot be kept of {known} training examples{among}.\n"
            f"Type a number from {least} to {known}"
        )


def test_examples_are_there(config: dict) -> Iterator[str]:
    """Generated data need a number of test examples; nested splits take no such number."""
    data = config["data"]
    made_up = "train_examples" in data
    if made_up and data["test_examples"] is None:
        yield (
            "data.test_examples=null does not say how many examples to generate.\n"
            "Type data.test_examples=1000"
        )
    if not made_up and data["test_examples"] is not None and target(config, "split") == NESTED:
        yield (
            f"data.test_examples={data['test_examples']} shortens the test part of the data, and "
            "split=nested tests on its outer fold.\nType data.test_examples=null"
        )


RULES = (
    test_examples_are_there,
    monitor_needs_validation,
    stopping_needs_validation,
    monitor_is_measured,
    examples_suffice,
)
