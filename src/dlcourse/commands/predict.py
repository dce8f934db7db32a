"""Predict with a finished run's best weights: classes of images, or of the rows of a table.

    dlcourse predict run=<folder> images=<file or folder> [csv=<file>] [trust=<module>]
    dlcourse predict run=<folder> table=<CSV or Parquet file> [csv=<file>]

Prints CSV, or writes it to a file: the image or row, its class, that class's probability, then the
probability of every class; of a regression the predicted values. Where an example can have several
classes, they are written as cat|dog: those of a probability of at least
metric.multilabel.threshold, and the third column is missing.

Several images: images=a.png,b.png. A table has the columns of the run's own, in any order; others
are ignored. Its text, dates and missing cells become numbers as in training, and nothing of it is
learned.

In cross-validation the models of the folds predict together, as the ensemble in result.json does.
Images are read as by data=image_folder, with the channels and the size that the model takes and the
run's data.decoder. The folder of an exported model takes the place of a run.
"""

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dlcourse.errors import UserError, shown
from dlcourse.export.formats import is_export
from dlcourse.schema.arguments import arguments
from dlcourse.schema.typed_alone import with_run
from dlcourse.terminal.live_line import working

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 256


def main(args: list[str]) -> None:
    """Open the run, predict, and print or write the table."""
    defaults = {"run": None, "images": "", "table": "", "csv": "", "trust": ""}
    options = arguments(with_run(args), defaults, __doc__)
    if bool(options["images"]) == bool(options["table"]):
        many = "are both typed" if options["images"] else "are both missing"
        raise UserError(
            f"images= and table= {many}.\nType images=<file or folder> for a run on images, or "
            "table=<file> for a run on a table"
        )
    output = Path(options["csv"]) if options["csv"] else None
    if output is not None and output.exists():
        raise UserError(f"{output} is already there.\nType csv=<a new file>")

    with working("importing PyTorch", plain=False):
        import dlcourse.engine.reopen  # noqa: F401

    folder = Path(options["run"])
    trust = [name for name in options["trust"].strip("[]").split(",") if name]
    source = exported_source(folder, trust) if is_export(folder) else run_source(folder, trust)
    if options["table"]:
        write_rows(table_rows(folder, options["table"], source), output)
        return
    if len(source.input_shape) != 3 or not source.classes:
        raise UserError(
            f"{folder} is not a classifier of images: it was trained on {source.trained_on}.\n"
            "Type table=<file> for a run on a table"
        )
    images = find_images(options["images"])
    with working("classifying images", len(images)) as advance:
        rows = image_rows(images, source, advance)
    write_rows(rows, output)


class Source(NamedTuple):
    """What predicts: a run, the folds of a cross-validation, or an exported model.

    predict: raw inputs (N, ...) -> class probabilities or values (N, K), on the CPU.
    data: the run's options of ``data``. threshold: of the probabilities of several classes.
    """

    predict: "Callable[[Tensor], Tensor]"
    input_shape: tuple[int, ...]
    output_size: int
    task: str
    classes: Sequence[str]
    trained_on: str
    data: Mapping[str, Any]
    threshold: float


def run_source(folder: Path, trust: Sequence[str]) -> Source:
    """Return what predicts with the models of a finished run; raises UserError for another one."""
    from dlcourse.engine.prediction_table import threshold_of
    from dlcourse.engine.reopen import config_of, folds_of, open_model, predict_with, stored_task
    from dlcourse.runs.run_folder import read_result

    places = folds_of(folder)
    result, config = read_result(folder), config_of(folder, ",".join(trust))
    assert result is not None  # folds_of refuses a run that has not finished
    opened = [open_model(one, trust=trust) for one in places]
    return Source(
        lambda inputs: predict_with(opened, inputs),
        tuple(result["input_shape"]),
        result["output_size"],
        stored_task(result),
        result["classes"],
        result["data"],
        config["data"],
        threshold_of(config),
    )


def exported_source(folder: Path, trust: Sequence[str]) -> Source:
    """Return what predicts with an exported model; raises UserError for a damaged one."""
    from dlcourse.engine.prediction_table import threshold_of
    from dlcourse.export.open_export import open_predictor, predict_in_batches, read_facts

    facts = read_facts(folder)
    predict = open_predictor(folder, facts, trust=trust)
    return Source(
        lambda inputs: predict_in_batches(predict, folder, facts, inputs),
        tuple(facts["input"]["shape"][1:]),
        facts["output"]["shape"][1],
        facts["task"],
        facts["classes"],
        facts["data"]["name"],
        facts["config"]["data"],
        threshold_of(facts["config"]),
    )


def table_rows(folder: Path, table: str, source: Source) -> list[list[str]]:
    """Return a header and a row for each row of a table, with its name; see ``new_rows``.

    A row that has a missing cell and cannot be predicted has empty cells.
    """
    from dlcourse.engine.new_table import new_rows
    from dlcourse.engine.prediction_table import prediction_cells, prediction_header, value_names
    from dlcourse.engine.stored_encoding import read_encoding

    rows = new_rows(folder, source.data, table)
    with working("predicting", plain=False):
        predicted = source.predict(rows.inputs)
    encoding = read_encoding(folder)
    assert encoding is not None  # new_rows refuses a run without one
    names = value_names(encoding.targets, source.output_size)
    head = prediction_header(source.task, source.classes, names)
    found = prediction_cells(predicted, source.task, source.classes, source.threshold)
    cells = [
        [""] * len(head) if empty else own
        for own, empty in zip(found, rows.incomplete.tolist(), strict=True)
    ]
    return [[rows.called, *head], *([i, *own] for i, own in zip(rows.ids, cells, strict=True))]


def write_rows(rows: list[list[str]], output: Path | None) -> None:
    """Print rows as CSV, or write them into a new file."""
    if output is None:
        csv.writer(sys.stdout).writerows(rows)
    else:
        with open(output, "x", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        print(f"{len(rows) - 1} predictions are in {output}")


def find_images(images: str) -> list[Path]:
    """Return the named files, or all images in the named folder and its subfolders.

    images: ``a.png,b.png`` or a folder. Raises UserError if there are none.
    """
    from dlcourse.data.scan import images_below

    whole = Path(images)
    if whole.is_dir():
        found, left_out = images_below(whole)
        if not found:
            raise UserError(f"There is no image in {shown(whole)}.\nType images=<file or folder>")
        if left_out:
            print(left_out, file=sys.stderr)
        return found
    paths = [whole] if whole.exists() else [Path(name) for name in images.split(",")]
    for path in paths:
        if not path.is_file():
            raise UserError(
                f"The image {shown(path)} does not exist.\nType images=<file or folder>"
            )
    return paths


def image_rows(
    images: list[Path], source: Source, advance: Callable[[int], None] = lambda images: None
) -> list[list[str]]:
    """Return a header and a row for each image.

    advance: is called with the number of images of each batch.
    """
    import torch

    from dlcourse.data.image_file import describe_notes, reading_of
    from dlcourse.data.read_many import try_images
    from dlcourse.engine.prediction_table import prediction_cells, prediction_header

    channels, size, _ = source.input_shape
    reading = reading_of(source.data, size, channels)
    rows = [["image", *prediction_header(source.task, source.classes, ())]]
    notes: list[list[str]] = []
    for start in range(0, len(images), BATCH):
        paths = images[start : start + BATCH]
        pixels, problems, noted = try_images(paths, reading)
        for problem in filter(None, problems):
            raise UserError(problem)
        notes += noted
        predicted = source.predict(torch.from_numpy(pixels))
        cells = prediction_cells(predicted, source.task, source.classes, source.threshold)
        advance(len(paths))
        rows += [[shown(path), *own] for path, own in zip(paths, cells, strict=True)]
    text = describe_notes(images, notes)
    if text:
        print(text, file=sys.stderr)
    return rows
