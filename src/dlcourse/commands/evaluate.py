"""Evaluate a finished run's best weights again, on its test part or on other examples.

    dlcourse evaluate run=<folder> [part=test] [data=<other data>] [csv=<file>] [trust=<module>]

Prints every metric. Those of part=test and part=val are equal to the ones in the run's result.json;
part=train is the training part without augmentation. In cross-validation each fold is evaluated,
in nested cross-validation on the outer fold.

Other data are named as in training, data=image_folder data.root=<folder>; an option alone, such as
data.root=<folder>, changes that of the run. Their classes have the run's names, in any order.
part=all takes their training and test part together.

csv=<file> writes a row for each example: its name, its class, the predicted class and the
probability of every class. ``trust`` names the module of your own model.
"""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.errors import UserError
from dlcourse.schema.arguments import arguments, choice_argument
from dlcourse.schema.run_files import EVALUATED_PARTS
from dlcourse.schema.typed_alone import with_run
from dlcourse.terminal.live_line import working

if TYPE_CHECKING:
    from dlcourse.engine.retest import Evaluated, Retest


def main(args: list[str]) -> None:
    """Open the run, print its metrics, and write the table of predictions."""
    typed = with_run(args)
    data = [arg for arg in typed if arg.startswith(("data=", "data."))]
    defaults = {"run": None, "part": "test", "csv": "", "trust": ""}
    options = arguments([arg for arg in typed if arg not in data], defaults, __doc__)
    part = choice_argument(options, "part", EVALUATED_PARTS)
    output = Path(options["csv"]) if options["csv"] else None
    if output is not None and output.exists():
        raise UserError(f"{output} is already there.\nType csv=<a new file>")

    with working("importing PyTorch", plain=False):
        from dlcourse.engine.retest import retest

    folder = Path(options["run"])
    trust = [name for name in options["trust"].strip("[]").split(",") if name]
    tested = retest(folder, trust=trust, part=part, data=data)
    for place, metrics in tested.metrics.items():
        fold = "" if place == "." else f"{place} "
        for name, value in metrics.items():
            print(f"{fold}{part}/{name} {value}")
    if output is not None:
        rows = evaluation_rows(tested)
        with open(output, "x", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        print(f"{len(rows) - 1} predictions are in {output}")


def evaluation_rows(tested: "Retest") -> list[list[str]]:
    """Return a header and a row for each example of an evaluated run.

    Folds that are evaluated on the same examples predict together; otherwise each example has a
    row for each fold, with the name of the fold.
    """
    from dlcourse.engine.prediction_table import (
        prediction_cells,
        prediction_header,
        target_cells,
        target_header,
        threshold_of,
        value_names,
    )
    from dlcourse.introspect.classification import as_probabilities

    task, classes = tested.dataset.task, tested.dataset.classes
    names = value_names(tested.dataset.target_names, tested.dataset.output_size)
    together = tested.examples is not None
    head = [*target_header(task, names), *prediction_header(task, classes, names)]
    rows = [["id", *([] if together else ["fold"]), *head]]
    for place, one in tested.evaluated.items():
        predicted = tested.predictions if together else as_probabilities(one.outputs, task)
        ids = example_names(one)
        targets = target_cells(one.examples.targets.cpu(), task, classes)
        cells = prediction_cells(predicted, task, classes, threshold_of(tested.config))
        fold = [] if together else [place]
        rows += [[i, *fold, *t, *c] for i, t, c in zip(ids, targets, cells, strict=True)]
        if together:
            break
    return rows


def example_names(one: "Evaluated") -> list[str]:
    """Return the name of each example: its file, its row, or its number in the data set, from 0."""
    if one.examples.ids is not None:
        return [str(name) for name in one.examples.ids]
    numbers = range(len(one.examples)) if one.position is None else one.position.tolist()
    return [str(number) for number in numbers]
