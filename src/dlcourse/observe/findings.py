"""What a finished run shows, in words."""

from collections.abc import Mapping
from pathlib import Path

import torch

from dlcourse.core import Fold, State
from dlcourse.introspect.history_findings import Facts, history_findings
from dlcourse.introspect.measurement_findings import measurement_findings
from dlcourse.observe.measurements import kept_lines, read_measurements


def findings_of(folder: Path, state: State, fold: Fold, steps: int, result: Mapping) -> list[str]:
    """Return what the curves and, where there are any, the measurements of a run say in words.

    steps: those of an epoch. result: the content of ``result.json``.
    """
    lines = kept_lines(read_measurements(folder), len(state.history), steps)
    curves = [record.metrics for record in state.history]
    return history_findings(curves, facts_of_run(fold, result)) + measurement_findings(lines)


def facts_of_run(fold: Fold, result: Mapping) -> Facts:
    """Return what the findings need to know besides the curves."""
    judged = fold.train if fold.val is None else fold.val
    share = None
    if result["task"] == "classification" and judged.targets.dim() == 1:
        share = float(torch.bincount(judged.targets.cpu()).max()) / len(judged)
    return Facts(
        largest_class=share,
        examples=len(judged),
        monitor=result["monitor"],
        best_epoch=result["best_epoch"],
        ended_by=result.get("ended_by", ""),
    )
