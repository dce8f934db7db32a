"""One job in its folder: what is logged and said of it, however it ends."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from dlcourse.errors import DivergedError, OwnCodeError, PrunedError, UserError
from dlcourse.guard import guarded
from dlcourse.machine.frozen_import import import_to_stay
from dlcourse.runs import run_folder
from dlcourse.runs.messages import lines
from dlcourse.schema.trust import foreign, to_type
from dlcourse.terminal.command import dashboard, is_out_of_memory, own_name
from dlcourse.terminal.live_line import columns, on_terminal, working
from dlcourse.terminal.user_code import explained

WIDE = 200  # columns, where there is no terminal

log = logging.getLogger(__name__)


def start(
    config: dict,
    *,
    fresh: bool = False,
    watching: Sequence = (),
    telling: Sequence[str] | None = None,
) -> float:
    """Carry out one job in the folder that Hydra was told.

    fresh: whether the folder may go again if the job turns out to be impossible. watching, telling:
    see ``experiment.run``.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    with working("importing PyTorch", plain=False):
        run = import_to_stay("dlcourse.engine.run").run  # torch, only now that all is in order
    shown = run_folder.shown(folder)
    try:
        best = run(OmegaConf.create(config), folder, watching, telling)
    except (KeyboardInterrupt, SystemExit):
        again = f"{own_name()} resume={shown} {to_type(config)}".rstrip()
        print(f"\nStopped. To resume: {again}", file=sys.stderr)
        raise
    except Exception as error:
        expected = isinstance(error, UserError | DivergedError | PrunedError)
        log.info("%s", error, exc_info=not expected)  # into train.log; the caller tells the user
        if fresh and isinstance(error, UserError):
            run_folder.discard(folder)
        has_own_message = expected or is_out_of_memory(error) or explained(error)
        if not has_own_message and (own := foreign(config)):
            raise OwnCodeError(
                f"{type(error).__name__}: {error}\n"
                f"{', '.join(own)}, which is not dlcourse's, took part in this run: look at what "
                f"it takes and returns.\nThe traceback is in {shown}/train.log"
            ) from error
        raise
    report(folder, shown)
    return best


def report(folder: Path, shown: str) -> None:
    """Print how cross-validation went, where everything is, and how to open TensorBoard."""
    with guarded("The summary on the screen"):
        table = lines(run_folder.read_result(folder), columns() if on_terminal() else WIDE)
        if table:
            print("\n".join(["", *table]))
        print(f"Results are in {shown}", flush=True)
        if any(folder.glob("**/events.out.tfevents*")):
            print(f"In TensorBoard: {dashboard(shown)}", flush=True)
