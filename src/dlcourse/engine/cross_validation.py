"""The results of a cross-validation over all folds together."""

from collections.abc import Sequence
from pathlib import Path

import torch

from dlcourse.core import Dataset
from dlcourse.engine import predictions
from dlcourse.engine.assemble import make_metrics, plain_loss
from dlcourse.engine.ensemble import average
from dlcourse.engine.result import measure_outputs
from dlcourse.guard import guarded
from dlcourse.schema.facts import fact
from dlcourse.split.part import Part, tested_alike


def pooled_metrics(
    config: dict, dataset: Dataset, parts: Sequence[Part], folder: Path
) -> dict[str, dict]:
    """Write the predictions of all folds; return ``{"out_of_fold": metrics, "ensemble": metrics}``.

    ``out_of_fold``: loss and metrics over the validation examples of all folds, each predicted by
    the model of its fold, which was not trained on it. ``ensemble``: loss and metrics of the folds'
    models on the test part, with averaged predictions; empty if the folds have different test
    examples.

    Reference: Stone, "Cross-validatory choice and assessment of statistical predictions", J. R.
    Stat. Soc. B 36, 1974; Hansen, Salamon, "Neural network ensembles", IEEE PAMI 12(10), 1990.
    """
    folds = [predictions.read_predictions(folder / part.name) for part in parts]
    rows = predictions.pool(folds)
    with guarded("Writing the predictions of all folds"):
        predictions.write_pooled(folder, rows)
    loss, metrics = plain_loss(config), list(make_metrics(config).values())
    out_of_fold = measure_outputs(rows["outputs"], rows["targets"], loss, metrics)
    ensemble = {}
    if tested_alike(parts):
        outputs = torch.stack([fold.test_outputs for fold in folds])  # (folds, N, K)
        mean = average(outputs, fact(config["loss"], "outputs"), task=dataset.task).float()
        ensemble = measure_outputs(mean, folds[0].test_targets, loss, metrics)
    return {"out_of_fold": out_of_fold, "ensemble": ensemble}
