"""From a config to objects: the only place where names in a config are called."""

from functools import partial
from inspect import signature
from pathlib import Path

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from dlcourse.core import Dataset, Fold, Recipe, State
from dlcourse.data.options import keep_examples, randomize_labels
from dlcourse.error import UserError
from dlcourse.optim.groups import parameter_groups
from dlcourse.runtime import Runtime
from dlcourse.schedule.warmup import warmup
from dlcourse.train.rng import INITIAL, reseed
from dlcourse.train.step import gradient_step

COMMON = ("root", "seed", "examples", "random_labels", "standardize")
"""Keys of ``data`` that are for every data set, and not arguments of the data set's function."""


def build(node: DictConfig, *leave_out: str) -> partial:
    """Turn a choice's config into its function or class with the hyperparameters filled in.

    leave_out: keys of the node that are not meant for it.
    Raises UserError for a target that cannot be imported and for a key it does not take.
    """
    settings = OmegaConf.to_container(node, resolve=True)
    settings = {key: value for key, value in settings.items() if key not in leave_out}
    target = settings.get("_target_", "")
    # Hydra 1.4 asks which names may be called; those of a stored config were looked at before.
    allowed = "_execution_whitelist_" in signature(instantiate).parameters
    allow = {"_execution_whitelist_": [target]} if allowed else {}
    try:
        built = instantiate(settings, _convert_="all", _partial_=True, **allow)
        signature(built.func).bind_partial(**built.keywords)
    except InstantiationException as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise UserError(
            f"{target} cannot be imported: {reason}\n"
            "Look at _target_ in the config; your own module must lie where Python finds it, for "
            "example in the folder you start from"
        ) from error
    except TypeError as error:
        known = ", ".join(signature(built.func).parameters)
        raise UserError(f"{target}: {error}.\nIt takes: {known}") from error
    return built


def load_data(cfg: DictConfig) -> Dataset:
    """Read or make the data set and apply the options that are common to all."""
    options = cfg.data
    dataset = build(options, *COMMON)(root=Path(options.root).expanduser(), seed=options.seed)
    if options.examples is not None:
        dataset = keep_examples(dataset, options.examples, options.seed)
    if options.random_labels > 0:
        dataset = randomize_labels(dataset, options.random_labels, options.seed)
    return dataset


def make_state(cfg: DictConfig, runtime: Runtime, dataset: Dataset) -> State:
    """Make a fresh model and optimizer; the initial weights follow from the seed alone."""
    reseed(cfg.seed, INITIAL)
    model = build(cfg.model)(dataset.input_shape, dataset.output_size)
    build(cfg.init)(model)
    runtime.place(model, dataset.input_shape)
    groups = parameter_groups(
        model, cfg.optim.get("weight_decay", 0.0), cfg.optim.get("decay_all", False)
    )
    optimizer = build(cfg.optim, "weight_decay", "decay_all")(groups)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return State(model, optimizer, runtime.scaler())


def make_recipe(cfg: DictConfig, runtime: Runtime, dataset: Dataset, fold: Fold) -> Recipe:
    """Choose everything that the loop would otherwise have to ask for."""
    metrics = {name: build(node, "training")() for name, node in cfg.metric.items()}
    return Recipe(
        loss=build(cfg.loss),
        penalties=[build(node) for node in cfg.regularizer.values()],
        augment=[build(node) for node in cfg.augment.values()],
        clip=build(cfg.clip),
        schedule=warmup(build(cfg.schedule, "warmup"), cfg.schedule.get("warmup", 0.0)),
        stop=build(cfg.stop),
        step=gradient_step,
        metrics=list(metrics.values()),
        training_metrics=[
            metric for name, metric in metrics.items() if cfg.metric[name].get("training", False)
        ],
        prepare=runtime.prepare(dataset.input_shape),
        autocast=runtime.autocast,
        batch_size=len(fold.train) if cfg.batch_size == "full" else cfg.batch_size,
        max_epochs=cfg.max_epochs,
        seed=cfg.seed,
        monitor=cfg.monitor,
        mode=cfg.mode,
    )
