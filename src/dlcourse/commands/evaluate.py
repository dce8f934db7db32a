"""Evaluate a finished run's best weights on the test part again.

    dlcourse evaluate run=<folder> [data.root=<folder>] [trust=<module>]

Prints every test metric, equal to those in the run's result.json. In cross-validation each fold is
evaluated, in nested cross-validation on the outer fold. ``trust`` names the module of
your own model.
"""

from pathlib import Path

from dlcourse.schema.arguments import arguments
from dlcourse.terminal.live_line import working


def main(args: list[str]) -> None:
    """Open the run and print its test metrics."""
    defaults = {"run": None, "data.root": "", "trust": ""}
    options = arguments(args, defaults, __doc__)

    with working("importing PyTorch", plain=False):
        from dlcourse.core import Fold
        from dlcourse.engine.assemble import make_recipe
        from dlcourse.engine.datasets import examples_to_test, load_data, split_training_data
        from dlcourse.engine.fingerprint import with_division
        from dlcourse.engine.instantiate import build
        from dlcourse.engine.reopen import config_of, folds_of, load_model
        from dlcourse.engine.same_data import refuse_learned
        from dlcourse.schema.run_files import CONFIG
        from dlcourse.train.evaluate import evaluate

    folder = Path(options["run"])
    folds = folds_of(folder)
    config = config_of(folder, options["trust"])
    if options["data.root"]:
        config["data"]["root"] = options["data.root"]
    runtime = build(config["runtime"])()
    with working("reading the data"):
        dataset = load_data(config)
    divided = split_training_data(config, dataset)
    whole = folder if (folder / CONFIG).exists() else folder.resolve().parent
    nested = any(part.test is not None for part in divided)
    refuse_learned(whole, with_division(dataset, divided), nested=nested)
    parts = {part.name: part for part in divided}
    for place in folds:
        fold_name = place.resolve().name
        part = parts[fold_name if fold_name in parts else "."]
        test = examples_to_test(dataset, part).to(runtime.device)
        model, standardize = load_model(config, runtime, place)
        recipe = make_recipe(
            config, runtime, dataset, Fold(place.name, dataset.train, None, standardize)
        )
        for name, value in evaluate(model, test, standardize, recipe, "test").items():
            fold = "" if place == folder else f"{place.name} "
            print(f"{fold}{name} {value}")
