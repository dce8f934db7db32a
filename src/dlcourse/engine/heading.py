"""The heading of a run: its main facts, which are printed before it starts."""

from pathlib import Path

from dlcourse.core import Dataset, Fold, Recipe, State
from dlcourse.runs import start_record
from dlcourse.runs.labels import shown_labels
from dlcourse.runtime import Runtime
from dlcourse.terminal.installed import short_path


def heading(
    config: dict,
    folder: Path,
    runtime: Runtime,
    dataset: Dataset,
    fold: Fold,
    state: State,
    recipe: Recipe,
) -> dict[str, str]:
    """Return ``{"model": "lenet, 61,706 parameters", "data": ..., ...}``.

    folder: the run's. dataset: its ``test`` part holds the examples that the fold is tested on.
    """
    choices = start_record.stored_choices(folder)
    parameters = sum(parameter.numel() for parameter in state.model.parameters())
    val = f", {len(fold.val):,} val" if fold.val is not None else ""
    optim = [choices.get("optim") or type(state.optimizer).__name__]
    if "lr" in config["optim"]:
        optim.append(f"learning rate {config['optim']['lr']:g}")
    origin = getattr(state.model, "origin", "")  # of weights that were loaded from a file
    return {
        "model": f"{choices.get('model') or type(state.model).__name__}, {parameters:,} parameters",
        **({"weights": origin} if origin else {}),
        "data": f"{dataset.name}: {len(fold.train):,} train{val}, {len(dataset.test):,} test",
        "optim": ", ".join(
            [*optim, f"batch size {config['batch_size']}", f"up to {recipe.max_epochs:g} epochs"]
        ),
        "device": f"{runtime.describe()}, {runtime.precision}, seed {config['seed']}",
        **shown_labels(config),
        "folder": short_path(folder),
    }
