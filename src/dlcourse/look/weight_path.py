"""The weights of a run over its epochs, as far as they are stored."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dlcourse import atomic_files
from dlcourse.engine.assemble import make_state
from dlcourse.errors import UserError
from dlcourse.introspect.loss_surface import weight_vector
from dlcourse.look.run_parts import RunParts
from dlcourse.look.subject import Subject
from dlcourse.observe.trajectory import stored
from dlcourse.schema.run_files import LAST_CHECKPOINT, TRAJECTORY
from dlcourse.terminal.installed import short_path
from dlcourse.train.checkpoint import read_checkpoint


@dataclass(frozen=True)
class WeightPath:
    """The weights (T, P) from the initial ones on, each with a label.

    note: for the title, what the path consists of. hint: for the terminal, how to keep more.
    """

    weights: Tensor
    labels: tuple[str, ...]
    note: str = ""
    hint: str = ""


def weight_path(subject: Subject, parts: RunParts) -> WeightPath:
    """Return the weights that ``observe=[trajectory]`` has stored.

    Without them it returns three: the initial weights, which the seed determines, the best and the
    last ones.
    """
    files = stored(subject.folder / TRAJECTORY)
    size = sum(weight.numel() for weight in subject.network.parameters())
    if len(files) < 2:
        return known_weights(subject, parts)
    path = [atomic_files.load_checked(file)["weights"].float() for file in files.values()]
    if any(len(weights) != size for weights in path):
        raise UserError(
            f"{short_path(subject.folder / TRAJECTORY)} does not fit the model: it has other "
            "weights.\nRemove the folder"
        )
    labels = ["start" if epoch == 0 else f"epoch {epoch}" for epoch in files]
    return WeightPath(torch.stack(path).to(subject.device), tuple(labels))


def known_weights(subject: Subject, parts: RunParts) -> WeightPath:
    """Return the initial, the best and the last weights of a run."""
    state = make_state(dict(subject.config), parts.runtime, subject.dataset, parts.fold)
    last = read_checkpoint(subject.folder / LAST_CHECKPOINT)
    best = subject.result["best_epoch"]
    weights = [
        weight_vector(state.model),
        weight_vector(subject.network),
        torch.cat([last["model"][name].reshape(-1) for name, _ in state.model.named_parameters()]),
    ]
    labels = ["start", f"best, epoch {best}", f"last, epoch {len(last['history'])}"]
    return WeightPath(
        torch.stack([one.to(subject.device, torch.float32) for one in weights]),
        tuple(labels),
        note="\nof which only three weights are stored",
        hint="\n  A run with observe=[console,history,tensorboard,trajectory] keeps its path.",
    )
