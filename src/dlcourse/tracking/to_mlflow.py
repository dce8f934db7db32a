"""A run in MLflow."""

import os
import re
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from dlcourse.tracking.identity import (
    existing_files,
    in_turns,
    read_identity,
    write_identity,
)

STATUS = {"finished": "FINISHED", "diverged": "FAILED", "interrupted": "KILLED"}
SQLITE = "sqlite:///"
LONGEST_PARAMETER = 6000  # characters of a parameter
MOST_AT_ONCE = 100  # parameters in one call
NOT_IN_A_NAME = re.compile(r"[^\w.\-/: ]")
NOTE, NAME, PARENT = "mlflow.note.content", "mlflow.runName", "mlflow.parentRunId"


class MlflowRun:
    """A run in MLflow, with the epoch as step.

    parents: the ids of the runs that it is nested in. last: the last epoch that MLflow has.
    """

    def __init__(
        self,
        client: Any,
        identity: str,
        parents: list[str],
        description: dict[str, Any],
        last: int,
    ) -> None:
        self.parents = parents
        self.client, self.identity, self.last = client, identity, last
        self.description, self.warnings = description, []

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        if epoch > self.last:
            self.log(metrics, epoch)
            self.last = epoch

    def log(self, metrics: dict[str, float], step: int) -> None:
        """Write metrics in one transaction."""
        metric = import_module("mlflow.entities").Metric

        now = int(time.time() * 1000)
        rows = [metric(allowed_name(name), value, now, step) for name, value in metrics.items()]
        self.client.log_batch(self.identity, metrics=rows)

    def summarize(self, values: dict[str, float]) -> None:
        self.log(values, self.last)

    def close(self, status: str, files: list[str]) -> None:
        folder = Path(self.description["folder"])
        for path in existing_files(str(folder), files):
            if path.suffix in (".json", ".yaml"):  # a report counts each result.json as a run
                self.client.log_text(self.identity, path.read_text("utf-8"), f"run_{path.name}")
            else:
                place = path.relative_to(folder).parent.as_posix()  # plots or checkpoints
                self.client.log_artifact(self.identity, str(path), place)
        for identity in (self.identity, *self.parents):
            self.client.set_terminated(identity, STATUS[status])


def open_tracked(
    description: dict[str, Any], options: dict[str, Any], history: list[dict[str, float]]
) -> MlflowRun:
    """Open a new run, or the same one again, below the run and the sweep that it belongs to.

    history: the epochs so far; those that MLflow lacks are recorded.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    mlflow = import_module("mlflow")

    folder = description["folder"]
    uri = options["uri"] or os.environ.get("MLFLOW_TRACKING_URI")
    uri = uri or f"{SQLITE}{(Path(options['store']) / 'mlflow.db').as_posix()}"
    store = Path(uri.removeprefix(SQLITE)).absolute().parent if uri.startswith(SQLITE) else None
    if store is not None:
        store.mkdir(parents=True, exist_ok=True)
    with in_turns(store or folder, "mlflow"):  # the first one makes the tables
        client = mlflow.MlflowClient(uri)
        experiment = experiment_of(client, options["experiment"], store)
    parents: list[str] = []
    for above in map(Path, description["above"]):
        with in_turns(above, "mlflow"):
            parents = [run_in(client, experiment, above, parents, above.name), *parents]
    name = options["name"] or description["name"]
    identity = run_in(client, experiment, Path(folder), parents, name)
    set_tags(client, identity, description)
    log_options(client, identity, description["config"])
    last = last_recorded(client, identity, history)
    tracked = MlflowRun(client, identity, parents, description, last)
    for row in history:
        tracked.epoch(int(row["epoch"]), {key: row[key] for key in row if key != "epoch"})
    return tracked


def experiment_of(client: Any, name: str, store: Path | None) -> str:
    """Return the id of an experiment, made if there is none.

    store: the folder of a store without a server, for the files of its runs.
    """
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    return client.create_experiment(name, (store / "mlartifacts").as_uri() if store else None)


def run_in(client: Any, experiment: str, folder: Path, parents: list[str], name: str) -> str:
    """Return the id of the run that is stored in a folder, which is new if MLflow has none.

    parents: the ids of the runs that it is nested in, the innermost first.
    """
    refused = import_module("mlflow.exceptions").MlflowException

    known = read_identity(folder, "mlflow").get("id")
    if known is not None:
        try:
            client.update_run(known, status="RUNNING")
            return known
        except refused as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
    tags = {PARENT: parents[0]} if parents else {}
    identity = client.create_run(experiment, tags=tags, run_name=name).info.run_id
    write_identity(folder, "mlflow", id=identity)
    return identity


def set_tags(client: Any, identity: str, description: dict[str, Any]) -> None:
    """Set the note, the tags, each with the value true, and the folder."""
    entry = import_module("mlflow.entities").RunTag

    tags = {"folder": description["folder"], "job_type": description["job_type"]}
    tags |= {NOTE: description["note"]} if description["note"] else {}
    tags |= {allowed_name(tag): "true" for tag in description["tags"]}
    client.log_batch(identity, tags=[entry(key, value) for key, value in tags.items()])


def log_options(client: Any, identity: str, config: dict[str, Any]) -> None:
    """Write the options that the run does not have; MLflow never changes one."""
    entry = import_module("mlflow.entities").Param

    known = client.get_run(identity).data.params
    values = {allowed_name(key): str(value)[:LONGEST_PARAMETER] for key, value in config.items()}
    new = [entry(key, value) for key, value in values.items() if key not in known]
    for start in range(0, len(new), MOST_AT_ONCE):
        client.log_batch(identity, params=new[start : start + MOST_AT_ONCE])


def last_recorded(client: Any, identity: str, history: list[dict[str, float]]) -> int:
    """Return the last epoch of a run that MLflow has; 0 for a new run."""
    names = [name for name in (history[-1] if history else ()) if name != "epoch"]
    if not names:
        return 0
    known = client.get_metric_history(identity, allowed_name(names[0]))
    return max((metric.step for metric in known), default=0)


def allowed_name(name: str) -> str:
    """Return a name with ``_`` for each character that MLflow does not allow."""
    return NOT_IN_A_NAME.sub("_", name)[:250]
