"""A finished run's network with the weights of the last or the best epoch, and its metrics."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcourse.api.run import Run
    from dlcourse.look.subject import Subject


def part_metrics(run: "Run", weights: str = "last") -> dict[str, dict[str, float]]:
    """Return the metrics of each part, ``{"train": {"loss": ..., "accuracy": ...}, "test": ...}``.

    All parts are evaluated in one way: no dropout, no augmentation, no label smoothing, no penalty.
    The training values in a run's history are those of its training steps instead. There is no
    ``val`` without a validation part.

    weights: those of the ``last`` epoch, or of the ``best`` one.
    """
    from dlcourse.look.run_parts import run_parts
    from dlcourse.train.evaluate import evaluate

    subject = subject_with(run, weights)
    parts = run_parts(subject)
    found = {}
    for name, split in (
        ("train", parts.fold.train),
        ("val", parts.fold.val),
        ("test", parts.test),
    ):
        metrics = evaluate(subject.network, split, parts.fold.standardize, parts.recipe, name)
        if metrics:
            found[name] = {key.partition("/")[2]: value for key, value in metrics.items()}
    return found


def subject_with(run: "Run", weights: str = "last") -> "Subject":
    """Open a run; its network has the weights of the ``last`` or of the ``best`` epoch."""
    from dlcourse.look.request import read_request
    from dlcourse.look.subject import open_subject
    from dlcourse.schema.run_files import LAST_CHECKPOINT
    from dlcourse.train.checkpoint import read_checkpoint

    subject = open_subject(read_request(run.folder, "weights", {}))
    if weights == "last":
        subject.network.load_state_dict(read_checkpoint(run.folder / LAST_CHECKPOINT)["averaged"])
    return subject
