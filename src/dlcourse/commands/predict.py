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
run's data.decoder.
"""

import csv
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dlcourse.errors import UserError, shown
from dlcourse.schema.arguments import arguments
from dlcourse.schema.facts import fact
from dlcourse.schema.typed_alone import with_run
from dlcourse.terminal.live_line import working

if TYPE_CHECKING:
    from dlcourse.runtime import Runtime

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
        from dlcourse.engine.instantiate import build
        from dlcourse.engine.reopen import config_of, folds_of, load_model
        from dlcourse.runs.run_folder import read_result
        from dlcourse.view.answer import from_views

    folder = Path(options["run"])
    if options["table"]:
        write_rows(table_rows(folder, options["table"], options["trust"]), output)
        return
    folds = folds_of(folder)
    result = read_result(folder)
    assert result is not None  # folds_of refuses a run that has not finished
    if len(result["input_shape"]) != 3 or not result["classes"]:
        raise UserError(
            f"{folder} is not a classifier of images: it was trained on {result['data']}.\n"
            "Type table=<file> for a run on a table"
        )
    images = find_images(options["images"])
    config = config_of(folder, options["trust"])
    runtime = build(config["runtime"])()
    models = [load_model(config, runtime, place) for place in folds]
    views = [build(node) for node in config["view"].values()]
    predict_batch = from_views(views, runtime.prepare(tuple(result["input_shape"])))
    with working("classifying images", len(images)) as advance:
        kind, data = fact(config["loss"], "outputs"), config["data"]
        threshold = config["metric"].get("multilabel", {}).get("threshold", 0.5)
        rows = prediction_rows(
            models, predict_batch, images, result, runtime, kind, advance, data, threshold
        )
    write_rows(rows, output)


def table_rows(folder: Path, table: str, trust: str) -> list[list[str]]:
    """Return a header and a row for each row of a table, with its name; see ``new_rows``.

    A row that has a missing cell and cannot be predicted has empty cells.
    """
    from dlcourse.engine.new_table import new_rows
    from dlcourse.engine.prediction_table import prediction_cells, prediction_header, value_names
    from dlcourse.engine.reopen import config_of, folds_of, open_model, predict_with
    from dlcourse.engine.stored_encoding import read_encoding
    from dlcourse.runs.run_folder import read_result

    places = folds_of(folder)
    result, config = read_result(folder), config_of(folder, trust)
    assert result is not None  # folds_of refuses a run that has not finished
    rows = new_rows(folder, config["data"], table)
    trusted = [name for name in trust.strip("[]").split(",") if name]
    with working("predicting", plain=False):
        predicted = predict_with([open_model(one, trust=trusted) for one in places], rows.inputs)
    encoding = read_encoding(folder)
    assert encoding is not None  # new_rows refuses a run without one
    task, classes = result.get("task", "classification"), result["classes"]
    names = value_names(encoding.targets, result["output_size"])
    threshold = config["metric"].get("multilabel", {}).get("threshold", 0.5)
    head = prediction_header(task, classes, names)
    cells = [
        [""] * len(head) if empty else own
        for own, empty in zip(
            prediction_cells(predicted, task, classes, threshold),
            rows.incomplete.tolist(),
            strict=True,
        )
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


def prediction_rows(
    models: list,
    predict_batch: Callable,
    images: list[Path],
    result: dict,
    runtime: "Runtime",
    kind: str,
    advance: Callable[[int], None] = lambda images: None,
    data: Mapping[str, Any] = MappingProxyType({}),
    threshold: float = 0.5,
) -> list[list[str]]:
    """Return a header and a row for each image.

    predict_batch: returns a model's outputs for standardised images.
    kind: what the loss declares as its outputs: softmax, sigmoid or scores.
    advance: is called with the number of images of each batch.
    data: the run's options of ``data``, which say how images are read.
    threshold: of the probabilities of an image's classes, where it can have several.
    """
    import torch

    from dlcourse.data.image_file import describe_notes, reading_of
    from dlcourse.data.read_many import try_images
    from dlcourse.engine.ensemble import average
    from dlcourse.introspect.classification import as_probabilities

    channels, size, _ = result["input_shape"]
    reading = reading_of(data, size, channels)
    classes, task = result["classes"], result.get("task", "classification")
    several = task == "multilabel"
    rows = [["image", *(["classes"] if several else ["class", "probability"]), *classes]]
    notes: list[list[str]] = []
    for start in range(0, len(images), BATCH):
        paths = images[start : start + BATCH]
        pixels, problems, noted = try_images(paths, reading)
        for problem in filter(None, problems):
            raise UserError(problem)
        notes += noted
        batch = torch.from_numpy(pixels).to(runtime.device)
        with torch.no_grad(), runtime.autocast():
            outputs = [
                predict_batch(model, standardize(batch)).float()  # (N, classes)
                for model, standardize in models
            ]
        mean = average(torch.stack(outputs), kind, task=task)
        mean = as_probabilities(mean, task).cpu()  # (N, classes)
        advance(len(paths))
        for path, share in zip(paths, mean, strict=True):
            best = int(share.argmax())
            numbers = [f"{value:.6f}" for value in share.tolist()]
            found = [classes[best], numbers[best]]
            if several:
                above = (share >= threshold).tolist()
                found = [
                    "|".join(name for name, is_in in zip(classes, above, strict=True) if is_in)
                ]
            rows.append([shown(path), *found, *numbers])
    text = describe_notes(images, notes)
    if text:
        print(text, file=sys.stderr)
    return rows
