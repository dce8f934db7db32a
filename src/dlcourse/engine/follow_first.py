"""Train a run on a rank other than the first, which alone writes and prints."""

from contextlib import ExitStack
from pathlib import Path

from dlcourse.distributed.agreement import refuse_different
from dlcourse.distributed.collectives import from_first, in_turn
from dlcourse.engine import fingerprint
from dlcourse.engine.datasets import load_data, split_training_data
from dlcourse.engine.fold import (
    evaluate_test_part,
    evaluate_val_part,
    prepare_fold,
    stores_predictions,
    with_observers,
)
from dlcourse.engine.instantiate import build, build_all
from dlcourse.runtime import Runtime
from dlcourse.train.fit import fit


def follow_first(config: dict, folder: Path) -> None:
    """Train and test with rank 0 every fold that it announces, as ``engine.folds`` does.

    The exchanges between the ranks are the same and in the same order. Nothing is written.
    """
    build_all(config)
    runtime: Runtime = build(config["runtime"])()
    dataset = in_turn(load_data, config)
    parts = split_training_data(config, dataset)
    refuse_different(config, fingerprint.in_short(dataset, parts))
    while (turn := from_first(None)) is not None:
        number, count, _ = turn
        part = parts[number - 1]
        place = folder / part.name
        with ExitStack() as stack:
            prepared = prepare_fold(config, runtime, dataset, part, {}, place, folder, count)
            prepared = with_observers(prepared, folder, (), (number, count, True), stack)
            fit(prepared.state, prepared.fold, prepared.recipe, prepared.observers)
            evaluate_test_part(prepared)
            if stores_predictions(prepared):
                evaluate_val_part(prepared)
