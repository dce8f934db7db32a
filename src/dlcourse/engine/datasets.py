"""Load a run's data set, and divide it into folds."""

from dataclasses import replace
from inspect import signature
from pathlib import Path

from dlcourse.core import Dataset, Fold, Split
from dlcourse.data.encoding import Encoding
from dlcourse.data.transforms import (
    keep_at_most,
    keep_examples,
    keep_test_examples,
    randomize_labels,
    reconstruct,
    standardize,
)
from dlcourse.engine import fingerprint
from dlcourse.engine.instantiate import build, of_data
from dlcourse.random_streams import seed_of_version
from dlcourse.runtime import Runtime
from dlcourse.split.part import Part


def load_data(config: dict, encoding: Encoding | None = None) -> Dataset:
    """Read or make the data set, and apply the options that all data sets have in common.

    encoding: of the run that is evaluated on these data, if they are a user's own table; None
    learns one from the table.
    """
    options = config["data"]
    seed = seed_of_version(options["seed"], config["random_streams"])
    make = build(options, *of_data(options))
    of_tables = encoding is not None and "encoding" in signature(make.func).parameters
    own = {"encoding": encoding} if of_tables else {}
    return with_options(make(root=Path(options["root"]).expanduser(), seed=seed, **own), config)


def with_options(dataset: Dataset, config: dict) -> Dataset:
    """Return a data set with its fingerprint, and the options that all data sets have applied."""
    options = config["data"]
    seed = seed_of_version(options["seed"], config["random_streams"])
    dataset = replace(dataset, fingerprint=fingerprint.fingerprint_of(dataset))
    if options["examples"] is not None:
        dataset = keep_examples(dataset, options["examples"], seed)
    if options["test_examples"] is not None and "test_examples" in of_data(options):
        dataset = keep_test_examples(dataset, options["test_examples"], seed)
    if options.get("at_most") is not None:
        dataset = keep_at_most(dataset, options["at_most"], seed)
    if options["random_labels"] > 0:
        dataset = randomize_labels(dataset, options["random_labels"], seed)
    return reconstruct(dataset) if options["reconstruct"] else dataset


def split_training_data(config: dict, dataset: Dataset) -> list[Part]:
    """Divide the training part of a data set with the config's ``split``."""
    split = build(config["split"])
    seed = split.keywords.get("seed")  # a split of the user's own may have none
    own = {} if seed is None else {"seed": seed_of_version(seed, config["random_streams"])}
    return split(
        dataset.train.targets,
        classes=bool(dataset.classes),
        ready_val=dataset.ready_val,
        groups=dataset.groups,
        **own,
    )


def examples_to_test(dataset: Dataset, part: Part) -> Split:
    """Return the test examples: the data set's own test part, or those that the split holds out."""
    return dataset.test if part.test is None else dataset.train.subset(part.test)


def make_fold(config: dict, dataset: Dataset, part: Part, runtime: Runtime) -> Fold:
    """Return a fold with its data on the device and the standardisation of its training part."""
    train = dataset.train.subset(part.train).to(runtime.device)
    val = dataset.train.subset(part.val).to(runtime.device) if len(part.val) else None
    data = config["data"]
    own = standardize(
        train, data["standardize"], data["zca_epsilon"], runtime.dtype, dataset.encoding
    )
    return Fold(part.name, train, val, own)
