"""From a config to objects: the only place where names in a config are called."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from dlcourse.core import Average, Dataset, Fold, Metric, Recipe, Split, State
from dlcourse.data.transforms import (
    keep_examples,
    keep_test_examples,
    randomize_labels,
    reconstruct,
)
from dlcourse.engine import fingerprint
from dlcourse.engine.soft_targets import refusing_soft_targets
from dlcourse.errors import UserError, nearest
from dlcourse.machine.cuda_graph import eager, graphed
from dlcourse.optim.groups import parameter_groups
from dlcourse.random_streams import of_version
from dlcourse.runtime import Runtime
from dlcourse.schedule.warmup import warmup
from dlcourse.schema.bounds import bounds_of_argument
from dlcourse.schema.kinds import Numbers
from dlcourse.schema.overrides import DECLARATIONS
from dlcourse.schema.validate import NOT_ARGUMENTS, OWN_TARGETS
from dlcourse.split.part import Part
from dlcourse.terminal import user_code
from dlcourse.train.batches import all_steps
from dlcourse.train.evaluate import EVALUATION_BATCH
from dlcourse.train.rng import INITIAL, epoch_order, reseed
from dlcourse.train.step import gradient_step, set_train_mode
from dlcourse.view.answer import from_views

NOT_KEYWORDS = ("_target_", "_partial_", "_convert_", "_recursive_", *DECLARATIONS)


def build(node: DictConfig, *leave_out: str) -> partial:
    """Turn a choice's config into its function or class with the hyperparameters filled in.

    leave_out: keys of the node that are not meant for it.

    It is Hydra's ``instantiate`` for ``_partial_: true``, as a plain ``functools.partial``: Hydra's
    own looks at its rules again at every call, which took a third of an MLP's training step.

    Raises UserError for a target that cannot be imported and for a key it does not take.
    """
    settings = cast(dict, OmegaConf.to_container(node, resolve=True))
    return fill({key: value for key, value in settings.items() if key not in leave_out})


def fill(settings: dict) -> partial:
    """Return the partial of a plain node; a node inside it is called first and becomes a value.

    Nothing is called before the names of all keywords, at every depth, are known to fit.
    """
    check_calls({**settings, "_partial_": True})
    return filled(settings)


def check_calls(settings: Any) -> None:
    """Raise UserError if a node, or one inside it, gets keywords that its target does not take."""
    if isinstance(settings, list):
        for item in settings:
            check_calls(item)
    if not isinstance(settings, dict):
        return
    keywords = {key: value for key, value in settings.items() if key not in NOT_KEYWORDS}
    if "_target_" in settings:
        function = locate(settings["_target_"])
        try:
            parameters = signature(function)
        except ValueError:  # some functions written in C do not have one
            parameters = None
        if parameters is not None:
            bind = parameters.bind_partial if settings.get("_partial_") else parameters.bind
            try:
                bind(**keywords)
            except TypeError as error:
                known = ", ".join(parameters.parameters)
                raise UserError(f"{settings['_target_']}: {error}.\nIt takes: {known}") from error
    for value in keywords.values():
        check_calls(value)


def filled(settings: dict) -> partial:
    """Return the partial of a node that was checked."""
    target = settings["_target_"]
    keywords = {key: value_of(value) for key, value in settings.items() if key not in NOT_KEYWORDS}
    if target.startswith(OWN_TARGETS):
        keywords = {key: as_floats(target, key, value) for key, value in keywords.items()}
    return partial(locate(target), **keywords)


def value_of(value: Any) -> Any:
    """Return a hyperparameter: as it is, or made if it is a node with a ``_target_`` of its own."""
    if isinstance(value, list):
        return [value_of(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "_target_" not in value:
        return {key: value_of(item) for key, item in value.items()}
    return filled(value) if value.get("_partial_") else filled(value)()


def as_floats(target: str, key: str, value: Any) -> Any:
    """Return a list of fractions as floats: a typed 0 is none, and Adam refuses it as a beta."""
    kind = bounds_of_argument(target, key)
    fractions = isinstance(kind, Numbers) and not kind.each.whole
    return [float(number) for number in value] if fractions else value


def locate(target: str) -> Callable:
    """Import what ``package.module.name`` names.

    Names that count as dlcourse's own or torch's must also be defined there: a walk through a
    module's imports (``dlcourse.data.cache.log.manager``) would lead anywhere.
    """
    module, _, name = target.rpartition(".")
    try:
        imported = import_module(module)
    except Exception as error:
        if own := user_code.explained(error):
            raise UserError(own) from error
        if not isinstance(error, ImportError | ValueError):
            raise
        raise UserError(user_code.not_found(target, error)) from error
    found = getattr(imported, name, None)
    if found is None:
        names = [known for known in vars(imported) if not known.startswith("_")]
        raise UserError(
            f"{target} is not there: {module} has no {name}; {nearest(name, names)}.\n"
            "Look at _target_ in the config"
        )
    home = f"{getattr(found, '__module__', None)}.{getattr(found, '__qualname__', name)}"
    if not callable(found) or (target.startswith(OWN_TARGETS) and not home.startswith(OWN_TARGETS)):
        raise UserError(f"{target} is nothing that a config may call")
    return found


def build_all(cfg: DictConfig) -> None:
    """Look for every choice's code and hyperparameters once, before any data are read."""
    for name, node in cfg.items():
        group = str(name)
        if isinstance(node, DictConfig):
            choices = [node] if "_target_" in node else node.values()
            for choice in choices:
                kept = of_data(choice) if group == "data" else NOT_ARGUMENTS.get(group, ())
                made = build(choice, *kept)
                if not choice["_target_"].startswith(OWN_TARGETS):
                    user_code.check_call(group, choice["_target_"], made.func, made.keywords)


def of_data(node: DictConfig) -> tuple[str, ...]:
    """Return the options of a data set that are applied here, to any of them.

    A data set that is made up takes ``test_examples`` itself.
    """
    own = signature(locate(node._target_)).parameters
    return NOT_ARGUMENTS["data"] + (() if "test_examples" in own else ("test_examples",))


def load_data(cfg: DictConfig) -> Dataset:
    """Read or make the data set and apply the options that are common to all."""
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


def divide(cfg: DictConfig, dataset: Dataset) -> list[Part]:
    """Divide the training part of a data set as ``split`` says."""
    with of_version(cfg.random_streams):
        return build(cfg.split)(
            dataset.train.targets,
            classes=bool(dataset.classes),
            ready_val=dataset.ready_val,
            groups=dataset.groups,
        )


def examples_to_test(dataset: Dataset, part: Part) -> Split:
    """Return the examples to test on: the data set's own test part, or what the split held back."""
    return dataset.test if part.test is None else dataset.train.subset(part.test)


def make_state(
    cfg: DictConfig, runtime: Runtime, dataset: Dataset, fold: Fold | None = None
) -> State:
    """Make a fresh model and optimizer; the initial weights follow from the seed.

    fold: its training part is what an initializer that wants ``inputs`` looks at; None leaves such
        a one out, for weights that come from a checkpoint.
    """
    reseed(cfg.seed, INITIAL)
    model = make_model(cfg.model, dataset.input_shape, dataset.output_size)
    initialize(model, build(cfg.init), fold, cfg.seed)
    runtime.place(model, dataset.input_shape)
    groups = parameter_groups(
        model,
        cfg.optim.get("weight_decay", 0.0),
        cfg.optim.get("decay_all", False),
        numbered(cfg.optim.rates),
        cfg.optim.freeze,
        decays=numbered(cfg.optim.decays),
        freeze_after=numbered(cfg.optim.freeze_after),
        freeze_until=numbered(cfg.optim.freeze_until),
        apart=cfg.optim.get("apart", []),
    )
    refuse_lonely_batch_norm(model, cfg.batch_size, len(fold.train) if fold else None)
    make_optimizer = build(cfg.optim, *NOT_ARGUMENTS["optim"])
    runtime.prepare_optimizers()
    if runtime.device.type == "mps" and make_optimizer.keywords.get("fused"):
        make_optimizer.keywords["fused"] = False  # not tried there
    optimizer = make_optimizer(groups)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"] * group.pop("rate", 1.0)
    runtime.accelerate(optimizer)
    averaged = average_of(cfg).start(model)
    return State(model, optimizer, runtime.scaler(), averaged)


def make_model(node: DictConfig, input_shape: tuple[int, ...], output_size: int) -> nn.Module:
    """Make a model from its config; raises UserError for what is none."""
    model = build(node)(input_shape, output_size)
    if not isinstance(model, nn.Module):
        raise UserError(
            f"{node._target_} returns {model!r:.60}, and a model is a torch.nn.Module.\n"
            "Type class Net(torch.nn.Module): and super().__init__() in its __init__"
        )
    return model


def initialize(model: nn.Module, init: partial, fold: Fold | None, seed: int) -> None:
    """Draw the initial weights; an ``init`` with a keyword ``inputs`` gets some of the fold's."""
    if "inputs" not in signature(init.func).parameters:
        init(model)
    elif fold is not None:

        def inputs(count: int) -> Iterator[Tensor]:
            order = epoch_order(len(fold.train), seed, INITIAL)[:count].to(fold.train.device)
            for some, _ in fold.train.batches(order.split(EVALUATION_BATCH)):
                yield fold.standardize(some).cpu()

        init(model, inputs=inputs)


def refuse_lonely_batch_norm(model: nn.Module, batch_size: int | str, examples: int | None) -> None:
    """Raise UserError for a model with a batch norm that learns from one example at a time.

    examples: of the training part; None where they are not known. Where there are two or more, a
    batch has one only if ``batch_size`` is 1: see ``train.batches.divide``.
    """
    if batch_size != 1 and examples != 1:
        return
    set_train_mode(model)
    for name, layer in model.named_modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.training:
            reason, remedy = "batch_size=1 leaves nothing to average", "batch_size=2 or more"
            if examples == 1:
                reason = "only one example is left to train on"
                remedy = "a smaller split.fraction or data.test_fraction, or a larger data.examples"
            raise UserError(
                f"{name} of this model averages over a batch, and {reason}.\n"
                f"Type {remedy}; or model.norm=layer, or a model without batch norm"
            )


def numbered(texts: Sequence[str]) -> dict[str, float]:
    """Read patterns with a number each: ``["features.*:0.1"]`` is ``{"features.*": 0.1}``."""
    parted = (text.rpartition(":") for text in texts)
    return {pattern: float(number) for pattern, _, number in parted}


def make_recipe(cfg: DictConfig, runtime: Runtime, dataset: Dataset, fold: Fold) -> Recipe:
    """Choose everything that the loop would otherwise have to ask for."""
    regularizers = [build(node) for node in cfg.regularizer.values()]
    metrics = make_metrics(cfg)
    step, prepare = step_of(cfg), runtime.prepare(dataset.input_shape)
    widened = in_float64 if runtime.precision == "fp64" else as_it_is
    return Recipe(
        loss=refusing_soft_targets(widened(build(cfg.loss)), cfg),
        plain_loss=widened(plain_loss(cfg)),
        penalties=[made for made in regularizers if not works_after_the_step(made)],
        constraints=[made for made in regularizers if works_after_the_step(made)],
        augment=[
            with_keywords(build(node), dataset, cfg.seed, fold.standardize.mean)
            for node in cfg.augment.values()
        ],
        clip=build(cfg.clip),
        average=average_of(cfg, len(fold.train)),
        schedule=make_schedule(cfg),
        stop=build(cfg.stop),
        step=step,
        metrics=list(metrics.values()),
        training_metrics=[
            metric for name, metric in metrics.items() if cfg.metric[name].get("training", False)
        ],
        prepare=prepare,
        predict=from_views([build(node) for node in cfg.view.values()], prepare),
        autocast=runtime.autocast,
        graph=graphed if runtime.graph and step is gradient_step else eager,
        batch_size=len(fold.train) if cfg.batch_size == "full" else cfg.batch_size,
        max_epochs=epochs_of(cfg),
        seed=cfg.seed,
        monitor=cfg.monitor,
        mode=cfg.mode,
    )


def plain_loss(cfg: DictConfig) -> Callable[[Tensor, Tensor], Tensor]:
    """Make the loss of examples that are only evaluated: without label smoothing.

    So its values can be compared, whatever smoothing the models were trained with.
    """
    loss = build(cfg.loss)
    keywords = loss.keywords | ({"label_smoothing": 0.0} if "label_smoothing" in cfg.loss else {})
    return partial(loss.func, *loss.args, **keywords)


def make_schedule(cfg: DictConfig) -> Callable[[float, float, list[float]], float]:
    """Make the schedule of the learning rate, its warmup included."""
    schedule = build(cfg.schedule, *NOT_ARGUMENTS["schedule"])
    return warmup(schedule, cfg.schedule.get("warmup", 0.0))


def make_metrics(cfg: DictConfig) -> dict[str, Metric]:
    """Make what is measured besides the loss, by name."""
    return {name: build(node, *NOT_ARGUMENTS["metric"])() for name, node in cfg.metric.items()}


def step_of(cfg: DictConfig) -> Callable:
    """Return the training step: the model's own or the optimizer's own if it brings one."""
    for target in (cfg.model._target_, cfg.optim._target_):
        own = getattr(locate(target), "training_step", None)
        if own is not None:
            return own
    return gradient_step


def as_it_is(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss itself."""
    return loss


def in_float64(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a loss that takes the values of a regression, or soft classes, as float64."""

    def wide(outputs: Tensor, targets: Tensor) -> Tensor:
        return loss(outputs, targets.double() if targets.is_floating_point() else targets)

    return wide


def epochs_of(cfg: DictConfig) -> float:
    """Return how many epochs to train: ``max_epochs``, or fewer where the optimizer is done."""
    return min(cfg.max_epochs, getattr(locate(cfg.optim._target_), "arrives_after", math.inf))


def works_after_the_step(regularizer: partial) -> bool:
    """Return whether a regularizer is a constraint on the weights instead of a term of the loss."""
    return getattr(regularizer.func, "after_step", False)


def average_of(cfg: DictConfig, examples: int = 1) -> Average:
    """Make the average of the weights; its keyword ``steps``, if any, is the number of steps."""
    average = build(cfg.average)
    if "steps" not in signature(average.func).parameters:
        return average()
    size = examples if cfg.batch_size == "full" else cfg.batch_size
    return average(steps=all_steps(examples, size, cfg.max_epochs))


def with_keywords(augment: partial, dataset: Dataset, seed: int, mean: Tensor | None) -> Callable:
    """Return an augmentation as the loop calls it, with what it has a keyword for.

    ``classes`` is their number, 0 in a regression; ``mean`` is what the standardisation subtracts;
    ``index`` and ``epoch`` come with each batch.
    """
    wanted = signature(augment.func).parameters.keys() - augment.keywords.keys()
    known = {"classes": len(dataset.classes), "seed": seed, "mean": mean}
    augment = partial(augment, **{name: known[name] for name in known.keys() & wanted})
    asked = wanted & {"index", "epoch"}

    def change(inputs: Tensor, targets: Tensor, index: Tensor, epoch: Tensor) -> tuple:
        batch = {"index": index, "epoch": epoch}
        return augment(inputs, targets, **{name: batch[name] for name in asked})

    return change
