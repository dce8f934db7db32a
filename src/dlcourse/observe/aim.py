"""A run in Aim (the extra aim)."""

from pathlib import Path

from dlcourse.observe.tracked import Tracked


class Aim(Tracked):
    """Records a run in Aim; see ``Tracked``.

    repo: the folder of Aim's repository; null for the folder outputs. name: null for the run's
    folder.
    """

    def __init__(
        self, folder: Path, *, repo: str | None, experiment: str, name: str | None, patience: float
    ) -> None:
        super().__init__(
            folder, "aim", weights=False, patience=patience, repo=repo, experiment=experiment,
            name=name,
        )  # fmt: skip
