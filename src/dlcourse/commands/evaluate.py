"""Evaluate a finished run's best weights on the test part again.

    dlcourse evaluate run=<folder> [data.root=<folder>] [trust=<module>]

Prints every test metric, equal to those in the run's result.json. In cross-validation each fold is
evaluated, in nested cross-validation on the outer fold. ``trust`` names the module of
your own model.
"""

from pathlib import Path

from dlcourse.schema.arguments import arguments
from dlcourse.schema.typed_alone import with_run
from dlcourse.terminal.live_line import working


def main(args: list[str]) -> None:
    """Open the run and print its test metrics."""
    defaults = {"run": None, "data.root": "", "trust": ""}
    options = arguments(with_run(args), defaults, __doc__)

    with working("importing PyTorch", plain=False):
        from dlcourse.engine.retest import retest

    folder = Path(options["run"])
    trust = [name for name in options["trust"].strip("[]").split(",") if name]
    tested = retest(folder, trust=trust, root=options["data.root"])
    for place, metrics in tested.metrics.items():
        fold = "" if place == "." else f"{place} "
        for name, value in metrics.items():
            print(f"{fold}test/{name} {value}")
