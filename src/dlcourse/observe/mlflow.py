"""A run in MLflow (the extra mlflow)."""

from pathlib import Path

from dlcourse.observe.tracked import Tracked


class Mlflow(Tracked):
    """Records a run in MLflow; see ``Tracked``.

    A fold is nested in its cross-validation, and a run of a sweep in the sweep.

    uri: of the tracking server or store; null for MLFLOW_TRACKING_URI, else ``mlflow.db`` in the
    folder outputs. name: null for the run's folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        uri: str | None,
        experiment: str,
        name: str | None,
        weights: bool,
        patience: float,
    ) -> None:
        super().__init__(
            folder, "mlflow", weights=weights, patience=patience, uri=uri, experiment=experiment,
            name=name,
        )  # fmt: skip
