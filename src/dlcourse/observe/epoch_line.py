"""One line per epoch that fits the terminal."""

from collections.abc import Iterable, Mapping

from dlcourse.terminal.live_line import cells, clipped

SHORT_NAMES = {"accuracy": "acc", "average_precision": "AP", "noise_std": "noise"}
"""Short names for lines that are too long."""


def epoch_line(
    label: str,
    metrics: Mapping[str, float],
    monitor: str,
    *,
    best: bool,
    width: int,
    more: Iterable[str] = (),
) -> str:
    """Return ``epoch 12/50  train loss 0.0458 accuracy 0.9874  val loss 0.0993 accuracy 0.9652 *``.

    A line that is too long loses first ``more`` (the speed, the time left), then long names, then
    the metrics that are not monitored.

    metrics: of the epoch, ``{"train/loss": ..., "val/accuracy": ...}``.
    best: whether to mark the line as that of the best epoch so far. width: in columns.
    """
    mark = " *" if best else "  "  # same width, so that all lines are shortened alike
    ranked = shown_metrics(metrics, monitor)
    line = join_metrics(label, ranked, metrics, {}) + mark
    candidates = ["  ".join([line, *more]), line]
    for count in range(len(ranked), 0, -1):
        for names in ({}, SHORT_NAMES):
            candidates.append(join_metrics(label, ranked[:count], metrics, names) + mark)
    fits = next((line for line in candidates if cells(line) < width), candidates[-1])
    return clipped(fits.rstrip(), width - 1)


def shown_metrics(metrics: Mapping[str, float], monitor: str) -> list[str]:
    """Return the metrics that a line shows, the most important ones first.

    They are the loss and one other metric of both parts: the monitored metric, or the first one if
    the loss is monitored or the training part has no metric of that name.
    """
    name = monitor.partition("/")[2]
    both = [key for key in metrics if key.startswith(("train/", "val/")) and "/loss" not in key]
    if name == "loss":
        other = next((key.partition("/")[2] for key in both), "loss")
        wanted = [monitor, "train/loss", f"val/{other}", f"train/{other}"]
    else:
        own = [f"train/{name}", *(key for key in both if key.startswith("train/"))]
        training = next((key for key in own if key in metrics), "")
        wanted = [monitor, training, f"val/{name}", "val/loss", "train/loss"]
    return [key for key in dict.fromkeys(wanted) if key in metrics]


def join_metrics(
    label: str, keys: list[str], metrics: Mapping[str, float], names: Mapping[str, str]
) -> str:
    """Return a line with these metrics, first of the training part, then of the validation part."""
    parts = [label]
    for split in ("train", "val"):
        own = sorted(
            (key for key in keys if key.startswith(f"{split}/")), key=lambda key: "/loss" not in key
        )
        values = [
            f"{names.get(name := key.partition('/')[2], name)} {number(metrics[key])}"
            for key in own
        ]
        if values:
            parts.append(" ".join([split, *values]))
    return "  ".join(parts)


def number(value: float) -> str:
    """Return a metric in about six characters: ``0.9874``, ``12.346``, ``4e-05``, ``nan``."""
    size = abs(value)
    if 0 < size < 5e-5 or 1e5 <= size < float("inf"):
        return f"{value:.0e}".rjust(6)
    digits = next((d for d, limit in ((4, 10), (3, 100), (2, 1000)) if size < limit), 1)
    return f"{value:.{digits}f}".rjust(6)
