"""A run in Weights & Biases (the extra wandb)."""

from collections.abc import Sequence
from pathlib import Path

from dlcourse.observe.tracked import Tracked


class Wandb(Tracked):
    """Records a run in Weights & Biases, in the folder ``wandb`` of the run; see ``Tracked``.

    mode: offline, online or disabled. project: null for WANDB_PROJECT, else dlcourse. group: null
    for the folder of the sweep or of the cross-validation. name: null for the run's folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        mode: str,
        project: str | None,
        entity: str | None,
        group: str | None,
        name: str | None,
        tags: Sequence[str],
        weights: bool,
        patience: float,
    ) -> None:
        super().__init__(
            folder, "wandb", weights=weights, patience=patience, mode=mode, project=project,
            entity=entity, group=group, name=name, tags=list(tags),
        )  # fmt: skip

    def open(self, history: Sequence[dict[str, float]]) -> None:
        if self.options["mode"] != "disabled":
            super().open(history)
