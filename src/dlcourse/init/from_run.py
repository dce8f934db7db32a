"""Initial weights from another run, for transfer learning."""

from pathlib import Path

from torch import nn

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.schema.run_files import BEST_WEIGHTS


def from_run(model: nn.Module, *, run: str) -> None:
    """Copy the best weights of another run into a model of the same kind.

    If the data have other classes, the last layer keeps its own initial weights; all other shapes
    must be equal. ``optim.freeze`` can freeze a part of the weights.

    run: the folder of the run, or in cross-validation of one of its folds.

    Raises UserError for a folder without weights and for weights of another model.

    Reference: Yosinski, Clune, Bengio, Lipson, "How transferable are features in deep neural
    networks?", NIPS 2014.
    """
    stored = read_best_weights(Path(run))
    own = model.state_dict()
    head = head_of(model)
    different = [
        name
        for name in sorted(own.keys() | stored.keys())
        if name.rpartition(".")[0] != head and shape(own, name) != shape(stored, name)
    ]
    if different:
        raise UserError(
            f"The weights in {run} are not those of this model: {different[0]} is "
            f"{shape(stored, different[0])} there and {shape(own, different[0])} here.\n"
            "Type the model and the data.size of that run; see its .hydra/config.yaml"
        )
    fitting = {name: stored[name] for name in own if shape(own, name) == shape(stored, name)}
    model.load_state_dict({**own, **fitting})


from_run.reads_file = True


def read_best_weights(run: Path) -> dict:
    """Return the best weights in a run's folder; raises UserError if there are none."""
    try:
        return atomic_files.load_checked(run / BEST_WEIGHTS)["model"]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(
            f"init.run={run} holds no weights: {BEST_WEIGHTS} is not in it.\n"
            "Type init.run=<folder of a run>, in cross-validation <folder>/fold0"
        ) from error
    except (atomic_files.DamagedFileError, KeyError) as error:
        raise UserError(f"init.run={run} cannot be read: {error}.\nTrain it again") from error


def head_of(model: nn.Module) -> str:
    """Return the name of the output layer: the last one with weights."""
    *_, last = (name for name, layer in model.named_modules() if list(layer.parameters(False)))
    return last


def shape(weights: dict, name: str) -> str:
    """Return the shape of a tensor as text, or ``absent``."""
    return str(tuple(weights[name].shape)) if name in weights else "absent"
