"""Train and test the folds of a run, one after the other."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dlcourse.core import Dataset, Fold, Observer
from dlcourse.distributed.collectives import from_first
from dlcourse.engine import predictions
from dlcourse.engine.fold import (
    PreparedFold,
    evaluate_test_part,
    finish_fold,
    prepare_fold,
    record_divergence,
    with_observers,
)
from dlcourse.errors import DivergedError
from dlcourse.runs import run_folder
from dlcourse.runtime import Runtime
from dlcourse.split.part import Part
from dlcourse.train.fit import fit


@dataclass(frozen=True)
class OpenRun:
    """A run in its locked folder, whose data are read and divided.

    options: those that identify the run. observers: called after those of the config.
    """

    config: dict
    folder: Path
    runtime: Runtime
    dataset: Dataset
    parts: Sequence[Part]
    options: dict
    observers: Sequence[Observer]

    def result_of(self, part: Part) -> dict | None:
        """Return the result of a fold that is done, else None."""
        place = self.folder / part.name
        result = run_folder.read_result(place)
        complete = part.name == "." or predictions.has_predictions(place)
        return result if complete else None


def folds_in_turn(run: OpenRun) -> list[dict]:
    """Train and test every fold that is not done yet; return the results of all folds, in order.

    On several devices rank 0 announces each fold to the others: ``engine.follow_first``.
    """
    results, introduced = [], False
    for number, part in enumerate(run.parts, 1):
        result = run.result_of(part)
        if result is None:
            turn = from_first((number, len(run.parts), introduced))
            result = run_fold(run, part, turn)
            introduced = True
            run.runtime.release_memory()
        results.append(result)
    from_first(None)
    return results


def run_fold(run: OpenRun, part: Part, turn: tuple[int, int, bool]) -> dict:
    """Train one fold, test its best weights once, and write its result; return the result.

    turn: as in ``with_observers``.
    """
    with ExitStack() as stack:
        prepared = with_observers(prepare(run, part), run.folder, run.observers, turn, stack)
        try:
            fit(prepared.state, prepared.fold, prepared.recipe, prepared.observers)
            meter = evaluate_test_part(prepared)
        except DivergedError as error:
            record_divergence(prepared, error)
            raise
        return finish_fold(prepared, meter)


def prepare(run: OpenRun, part: Part, fold: Fold | None = None) -> PreparedFold:
    """Make the folder of a fold and return the fold, prepared; fold: where it is made already."""
    place = run.folder / part.name
    place.mkdir(exist_ok=True)
    return prepare_fold(
        run.config, run.runtime, run.dataset, part, run.options, place, run.folder,
        len(run.parts), fold,
    )  # fmt: skip
