"""Load a run's data set, and divide it into folds."""

from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from dlcourse.core import Dataset, Fold, Split
from dlcourse.data.transforms import (
    keep_examples,
    keep_test_examples,
    randomize_labels,
    reconstruct,
    standardize,
)
from dlcourse.engine import fingerprint
from dlcourse.engine.instantiate import build, of_data
from dlcourse.random_streams import of_version
from dlcourse.runtime import Runtime
from dlcourse.split.part import Part


def load_data(cfg: DictConfig) -> Dataset:
    """Read or make the data set, and apply the options that all data sets have in common."""
    options = cfg.data
    with of_version(cfg.random_streams):
        dataset = build(options, *of_data(options))(
            root=Path(options.root).expanduser(), seed=options.seed
        )
        dataset = replace(dataset, fingerprint=fingerprint.take(dataset))
        if options.examples is not None:
            dataset = keep_examples(dataset, options.examples, options.seed)
        if options.test_examples is not None and "test_examples" in of_data(options):
            dataset = keep_test_examples(dataset, options.test_examples, options.seed)
        if options.random_labels > 0:
            dataset = randomize_labels(dataset, options.random_labels, options.seed)
    return reconstruct(dataset) if options.reconstruct else dataset


def split_training_data(cfg: DictConfig, dataset: Dataset) -> list[Part]:
    """Divide the training part of a data set with the config's ``split``."""
    with of_version(cfg.random_streams):
        return build(cfg.split)(
            dataset.train.targets,
            classes=bool(dataset.classes),
            ready_val=dataset.ready_val,
            groups=dataset.groups,
        )


def examples_to_test(dataset: Dataset, part: Part) -> Split:
    """Return the test examples: the data set's own test part, or those that the split holds out."""
    return dataset.test if part.test is None else dataset.train.subset(part.test)


def make_fold(cfg: DictConfig, dataset: Dataset, part: Part, runtime: Runtime) -> Fold:
    """Return a fold with its data on the device and the standardisation of its training part."""
    train = dataset.train.subset(part.train).to(runtime.device)
    val = dataset.train.subset(part.val).to(runtime.device) if len(part.val) else None
    data = cfg.data
    own = standardize(train, data.standardize, data.zca_epsilon, runtime.dtype)
    return Fold(part.name, train, val, own)
