"""Train a run again from the config that it has stored, in a new folder.

    dlcourse rerun <folder of a run> [<override> ...] [--config-dir <folder>]

The stored config is used as it is, not today's defaults: on the same machine the weights are equal
to the last bit. Overrides change it: seed=1, max_epochs=100, optim=sgd, note="with SGD". A job of a
sweep is a run as well; a fold stands for its whole run. The new run records where it came from in
.hydra/rerun.json. Code outside dlcourse has to be named again: trust=[my_model], and for choices
of your own --config-dir.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcourse.runs import run_folder
from dlcourse.runs.again import prepare_again, source_of
from dlcourse.schema.command_line import one_run
from dlcourse.schema.typed_alone import existing_folders, separate_folders
from dlcourse.terminal.installed import short_path


def main(args: list[str]) -> None:
    """Prepare the new run, train it, and say whether its result is the same."""
    folders, rest = separate_folders(args)
    taken = [arg for arg in args if arg in ("--config-dir", "-cd")]
    config_dirs = [args[args.index(flag) + 1] for flag in taken if flag != args[-1]]
    folders = [folder for folder in folders if folder not in config_dirs]
    rest = [arg for arg in args if arg not in folders]
    typed = existing_folders(folders[:1])[0]
    overrides, config_dir = one_run([*folders[1:], *rest], "rerun")
    source = source_of(typed)
    if source != typed:
        print(f"{short_path(typed)} is a part of {short_path(source)}, which is trained as a whole")
    run = prepare_again(source, overrides, config_dir)
    print(f"again   {short_path(source)}{' with ' + ' '.join(overrides) if overrides else ''}")
    from dlcourse.cli import train_prepared  # imports the engine

    train_prepared(run, run.hydra, config_dir)
    print(comparison(source, run_folder.read_result(source), run_folder.read_result(run.folder)))


def comparison(
    source: Path, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None
) -> str:
    """Return whether the result of the run is that of the earlier one, in one line."""
    shown = short_path(source)
    if before is None or now is None:
        return f"{shown} has no result to compare with"
    monitor = now["monitor"]
    if before["monitor"] != monitor:
        return f"{shown} monitored {before['monitor']}, and this run {monitor}"
    if all(
        before.get(key) == now.get(key) for key in ("best", "best_epoch", "val", "test", "mean")
    ):
        return f"The same result as {shown}, to the last digit"
    return f"{monitor} {now['best']:.4f}, in {shown} it was {before['best']:.4f}"
