"""Build the state and the recipe of a fold from a config."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.core import (
    Average,
    Dataset,
    Fold,
    Metric,
    NonFinite,
    Recipe,
    Split,
    State,
    steps_per_epoch,
    with_float64_targets,
)
from dlcourse.core.training import leave_as_is
from dlcourse.distributed.gradients import SharedBatch, no_buffers
from dlcourse.distributed.layers import (
    refuse_own_random_numbers,
    refuse_small_shares,
    running_statistics,
    share_layers,
)
from dlcourse.distributed.ranks import this_rank
from dlcourse.engine.instantiate import build, locate
from dlcourse.engine.soft_targets import refusing_soft_targets
from dlcourse.engine.weights import weighted_recipe, with_positive_weights
from dlcourse.errors import UserError
from dlcourse.machine.anomaly import check_steps
from dlcourse.machine.cuda_graph import eager, graphed
from dlcourse.optim.gradient_noise import use_gradient_noise
from dlcourse.optim.groups import parameter_groups
from dlcourse.runtime import Runtime
from dlcourse.schedule.warmup import warmup
from dlcourse.schema.facts import fact, with_random_weights
from dlcourse.schema.validate import NOT_ARGUMENTS
from dlcourse.train.batches import all_steps, into_batches
from dlcourse.train.differentiate import Differentiate, in_one_pass, in_pieces
from dlcourse.train.evaluate import EVALUATION_BATCH
from dlcourse.train.rehearse import no_rehearsal, rehearse
from dlcourse.train.rng import INITIAL, epoch_order, reseed
from dlcourse.train.step import gradient_step, set_train_mode, whole_batch
from dlcourse.train.update import (
    checked_step,
    checked_update,
    noted_update,
    plain_update,
    skipping_step,
)
from dlcourse.view.answer import from_views

DROPPING = ("StochasticDepth", "DropPath")  # layers of libraries that drop whole branches
BENCHMARK_STEPS = 2000
"""cuDNN times its kernels for runs of this many steps or more. On an H200 that took about a second,
and a step of model=resnet18 gained 4 %, one of model=airbench 3 %."""


def make_state(config: dict, runtime: Runtime, dataset: Dataset, fold: Fold | None = None) -> State:
    """Make a new model and optimizer; the seed determines the initial weights.

    fold: provides training inputs for an initializer with a keyword ``inputs``. None is for weights
        that are read from a checkpoint: it skips such an initializer, and files of weights.
    """
    reseed(config["seed"], INITIAL)
    node = config["model"] if fold is not None else with_random_weights(config["model"])
    model = make_model(node, dataset.input_shape, dataset.output_size)
    init = build(config["init"])
    if fold is not None or not getattr(init.func, "reads_file", False):
        initialize(model, init, fold, config["seed"])
    if config["optim"].get("dropout_off"):
        switch_off_dropout(model)
    runtime.place(model, dataset.input_shape)
    if this_rank().joined:
        share_model(model, config, runtime, dataset, fold)
    optimizer = make_optimizer(config, runtime, model)
    refuse_lonely_batch_norm(model, config["batch_size"], len(fold.train) if fold else None)
    runtime.accelerate(optimizer)
    add_gradient_noise(optimizer, config)
    averaged = average_of(config).start(model)
    return State(model, optimizer, runtime.scaler(), averaged)


def switch_off_dropout(model: nn.Module) -> None:
    """Set every probability of dropout and of stochastic depth in a model to 0."""
    for layer in model.modules():
        if isinstance(layer, nn.modules.dropout._DropoutNd) or type(layer).__name__ in DROPPING:
            vars(layer)["p"] = 0.0
        elif isinstance(layer, nn.MultiheadAttention):
            layer.dropout = 0.0


def share_model(
    model: nn.Module, config: dict, runtime: Runtime, dataset: Dataset, fold: Fold | None
) -> None:
    """Prepare a model for batches that several ranks share; raises UserError if it cannot be."""
    synchronised = runtime.batch_norm == "synchronised"
    share_layers(model, synchronised=synchronised)
    refuse_own_random_numbers(model, dataset.input_shape)
    if fold is not None and not synchronised and config["batch_size"] != "full":
        batches = into_batches(torch.arange(len(fold.train)), config["batch_size"])
        smallest = min(math.ceil(len(batch) / config["accumulate"]) for batch in batches)
        refuse_small_shares(model, smallest)


def make_optimizer(config: dict, runtime: Runtime, model: nn.Module) -> torch.optim.Optimizer:
    """Make the optimizer of a model's parameters; freezes those of ``optim.freeze``.

    Each parameter group has its base learning rate as ``initial_lr``.
    """
    groups = parameter_groups(
        model,
        config["optim"].get("weight_decay", 0.0),
        config["optim"].get("decay_all", False),
        pattern_numbers(config["optim"]["rates"]),
        config["optim"]["freeze"],
        decays=pattern_numbers(config["optim"]["decays"]),
        freeze_after=pattern_numbers(config["optim"]["freeze_after"]),
        freeze_until=pattern_numbers(config["optim"]["freeze_until"]),
        apart=config["optim"].get("apart", []),
        layer_decay=config["optim"]["layer_decay"],
    )
    make_optimizer = build(config["optim"], *NOT_ARGUMENTS["optim"])
    runtime.prepare_optimizers()
    if runtime.device.type == "mps" and make_optimizer.keywords.get("fused"):
        make_optimizer.keywords["fused"] = False  # not tested on MPS
    optimizer = make_optimizer(groups)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"] * group.pop("rate", 1.0)
    return optimizer


def add_gradient_noise(optimizer: torch.optim.Optimizer, config: dict) -> None:
    """Let an optimizer add ``optim.noise`` to its gradients; 0 leaves it as it is."""
    node = config["optim"]
    if node["noise"]:
        use_gradient_noise(optimizer, node["noise"], node["noise_decay"], config["seed"])


def make_model(node: dict, input_shape: tuple[int, ...], output_size: int) -> nn.Module:
    """Make a model from its config; raises UserError for anything but a ``torch.nn.Module``."""
    model = build(node)(input_shape, output_size)
    if not isinstance(model, nn.Module):
        raise UserError(
            f"{node['_target_']} returns {model!r:.60}, and a model is a torch.nn.Module.\n"
            "Type class Net(torch.nn.Module): and super().__init__() in its __init__"
        )
    return model


def initialize(model: nn.Module, init: partial, fold: Fold | None, seed: int) -> None:
    """Set the initial weights; an ``init`` with a keyword ``inputs`` gets training inputs.

    Such a keyword is a function: ``inputs(n)`` yields n standardised examples (N, ...), in batches.
    """
    if "inputs" not in signature(init.func).parameters:
        init(model)
    elif fold is not None:

        def inputs(count: int) -> Iterator[Tensor]:
            order = epoch_order(len(fold.train), seed, INITIAL)[:count].to(fold.train.device)
            for some, _ in fold.train.batches(order.split(EVALUATION_BATCH)):
                yield fold.standardize(some).cpu()

        init(model, inputs=inputs)


def refuse_lonely_batch_norm(model: nn.Module, batch_size: int | str, examples: int | None) -> None:
    """Raise UserError if a model with batch norm would be trained on batches of one example.

    examples: the number of training examples; None if it is not known. With two or more of them, a
    batch has one example only if ``batch_size`` is 1: see ``train.batches.into_batches``.
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


def pattern_numbers(texts: Sequence[str]) -> dict[str, float]:
    """Read patterns with a number: ``["features.*:0.1"]`` becomes ``{"features.*": 0.1}``."""
    parted = (text.rpartition(":") for text in texts)
    return {pattern: float(number) for pattern, _, number in parted}


def make_recipe(config: dict, runtime: Runtime, dataset: Dataset, fold: Fold) -> Recipe:
    """Make all parts of a fold's recipe; the training loop itself never reads the config."""
    regularizers = [build(node) for node in config["regularizer"].values()]
    metrics = make_metrics(config)
    step, prepare = step_of(config), runtime.prepare(dataset.input_shape)
    average = average_of(config, len(fold.train))
    batch_size = batch_size_of(config, len(fold.train))
    is_plain = step is gradient_step and not runtime.anomaly  # other steps may read a value back
    draws_on_cpu = any(fact(node, "draws_on_cpu") for node in config["augment"].values())
    counts_steps = config["optim"]["noise"] > 0
    policy = policy_of(config)
    can_repeat = is_plain and not draws_on_cpu and not counts_steps and not policy.max_skipped
    share, differentiate = differentiate_in(config["accumulate"], batch_size, runtime)
    widened = in_float64 if runtime.precision == "fp64" else same_loss
    loss = with_positive_weights(make_loss(config), config, dataset, fold.train)
    recipe = Recipe(
        sample=sampler_of(config),
        loss=refusing_soft_targets(widened(loss), config),
        plain_loss=widened(plain_loss(config)),
        penalties=[made for made in regularizers if not works_after_the_step(made)],
        constraints=[made for made in regularizers if works_after_the_step(made)],
        augment=[
            with_keywords(build(node), dataset, config["seed"], fold.standardize.mean)
            for node in config["augment"].values()
        ],
        clip=build(config["clip"]),
        average=average,
        settle=getattr(average, "settle", leave_as_is),
        schedule=make_schedule(config),
        stop=build(config["stop"]),
        share=share,
        step=watched(step, policy, runtime, config),
        differentiate=differentiate,
        update=update_for(policy, runtime),
        nonfinite=policy,
        metrics=list(metrics.values()),
        training_metrics=[
            metric
            for name, metric in metrics.items()
            if config["metric"][name].get("training", False)
        ],
        prepare=prepare,
        predict=from_views([build(node) for node in config["view"].values()], prepare),
        autocast=runtime.autocast,
        graph=graphs_of(config, len(fold.train)) if runtime.graph and can_repeat else eager,
        rehearse=rehearse if runtime.compiles and is_plain else no_rehearsal,
        batch_size=batch_size,
        max_epochs=epochs_of(config),
        steps_per_epoch=config["steps_per_epoch"],
        seed=config["seed"],
        monitor=config["monitor"],
        mode=config["mode"],
    )
    return weighted_recipe(recipe, config, dataset, fold)


def make_loss(config: dict) -> Any:
    """Make the training loss, without weights."""
    return build(config["loss"], *NOT_ARGUMENTS["loss"])


def sampler_of(config: dict) -> Callable[[Split, int, int], Tensor]:
    """Return the function (training part, seed, epoch) -> the order of its examples."""
    sampler = build(config["sampler"])
    return lambda train, seed, epoch: sampler(train, seed=seed, epoch=epoch)


def graphs_of(config: dict, examples: int) -> Callable[..., Callable[..., None]]:
    """Return the function that makes CUDA graphs, without a benchmark of cuDNN in a short run.

    examples: the number of training examples.
    """
    steps = all_steps(steps_of_epoch(config, examples), config["max_epochs"])
    return partial(graphed, benchmark=steps >= BENCHMARK_STEPS)


def batch_size_of(config: dict, examples: int) -> int:
    """Return the number of examples of a batch, of ``examples`` training examples."""
    return examples if config["batch_size"] == "full" else config["batch_size"]


def steps_of_epoch(config: dict, examples: int) -> int:
    """Return the number of steps of an epoch, with this number of training examples."""
    of_pass = steps_per_epoch(examples, batch_size_of(config, examples))
    return config["steps_per_epoch"] or of_pass


def plain_loss(config: dict) -> Callable[[Tensor, Tensor], Tensor]:
    """Make the loss for evaluation, which has no label smoothing and no weights.

    So the values of models that were trained with different smoothing can be compared.
    """
    loss = make_loss(config)
    plain = {"label_smoothing": 0.0} if "label_smoothing" in loss.keywords else {}
    return partial(loss.func, *loss.args, **loss.keywords | plain)


def make_schedule(config: dict) -> Callable[[float, float, list[float]], float]:
    """Make the schedule of the learning rate, with its warmup."""
    schedule = build(config["schedule"], *NOT_ARGUMENTS["schedule"])
    return warmup(schedule, config["schedule"].get("warmup", 0.0))


def make_metrics(config: dict) -> dict[str, Metric]:
    """Make the metrics of the config, by name."""
    return {
        name: build(node, *NOT_ARGUMENTS["metric"])() for name, node in config["metric"].items()
    }


def step_of(config: dict) -> Callable:
    """Return the training step: the model's or the optimizer's own, else ``gradient_step``."""
    for target in (config["model"]["_target_"], config["optim"]["_target_"]):
        own = getattr(locate(target), "training_step", None)
        if own is not None:
            return own
    return gradient_step


def policy_of(config: dict) -> NonFinite:
    """Make the policy for numbers that are not finite."""
    clips = config["clip"]["_target_"] != "dlcourse.clip.none.none"
    return replace(build(config["nonfinite"])(), clips=clips)


def update_for(policy: NonFinite, runtime: Runtime) -> Callable[[State, Tensor, Recipe], None]:
    """Return ``Recipe.update``: on an accelerator nothing is read back, unless steps are skipped.

    The scaler of an fp16 loss skips steps itself, and with ``runtime.anomaly`` the step reports
    more.
    """
    if runtime.anomaly or runtime.scaler().is_enabled():
        return plain_update
    at_once = runtime.device.type == "cpu" or policy.max_skipped
    return checked_update if at_once else noted_update


def watched(step: Callable, policy: NonFinite, runtime: Runtime, config: dict) -> Callable:
    """Return a training step that checks its numbers as far as ``Recipe.update`` does not.

    Raises UserError if steps of a model's or an optimizer's own step would have to be left out.
    """
    if runtime.anomaly:
        return check_steps(step)
    of_gradients = step is gradient_step or fact(config["optim"], "in_pieces")
    if policy.max_skipped and not of_gradients:
        raise UserError(
            "nonfinite=skip leaves out the update of a gradient, and this model or optimizer has a "
            "training step of its own.\nType nonfinite=stop"
        )
    if policy.max_skipped:
        return skipping_step(step)
    return step if of_gradients or runtime.device.type != "cpu" else checked_step(step)


def differentiate_in(
    pieces: int, batch_size: int, runtime: Runtime
) -> tuple[Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], Differentiate]:
    """Return ``Recipe.share`` and ``Recipe.differentiate``, which takes ``pieces`` passes.

    On several devices each pass is divided among them.
    """
    if this_rank().joined:
        own = runtime.batch_norm == "per_device"
        most = None if pieces == 1 else math.ceil(batch_size / pieces)
        shared = SharedBatch(this_rank(), most, running_statistics if own else no_buffers)
        return shared.share, shared.differentiate
    return whole_batch, in_one_pass if pieces == 1 else in_pieces(pieces, batch_size)


def same_loss(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss itself."""
    return loss


def in_float64(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a loss that converts floating-point targets to float64."""
    return partial(with_float64_targets, loss)


def epochs_of(config: dict) -> float:
    """Return the number of epochs: ``max_epochs``, or less if the optimizer needs fewer.

    A closed form, for example, has the attribute ``arrives_after = 1``.
    """
    return min(
        config["max_epochs"],
        getattr(locate(config["optim"]["_target_"]), "arrives_after", math.inf),
    )


def works_after_the_step(regularizer: partial) -> bool:
    """Return whether a regularizer is a constraint on the weights and not a term of the loss."""
    return getattr(regularizer.func, "after_step", False)


def average_of(config: dict, examples: int = 1) -> Average:
    """Make the average of the weights: the optimizer's own if it has one, else the config's.

    A keyword ``steps`` gets the number of training steps, ``steps_per_epoch`` that of an epoch.
    An optimizer has an average of its own as an attribute ``average``.

    examples: the number of training examples.
    """
    own = getattr(locate(config["optim"]["_target_"]), "average", None)
    if own is not None:
        return own
    average = build(config["average"])
    steps = steps_of_epoch(config, examples)
    known = {"steps": all_steps(steps, config["max_epochs"]), "steps_per_epoch": steps}
    return average(**{k: known[k] for k in known.keys() & signature(average.func).parameters})


def with_keywords(augment: partial, dataset: Dataset, seed: int, mean: Tensor | None) -> Callable:
    """Return an augmentation as the loop calls it, with the optional keywords that it has.

    ``classes`` is the number of classes, 0 in a regression; ``mean`` is the mean that the
    standardisation subtracts; ``seed`` is the run's; ``index`` and ``epoch`` are those of a batch.
    """
    wanted = signature(augment.func).parameters.keys() - augment.keywords.keys()
    known = {"classes": len(dataset.classes), "seed": seed, "mean": mean}
    augment = partial(augment, **{name: known[name] for name in known.keys() & wanted})
    per_batch = wanted & {"index", "epoch"}

    def change(inputs: Tensor, targets: Tensor, index: Tensor, epoch: Tensor) -> tuple:
        batch = {"index": index, "epoch": epoch}
        return augment(inputs, targets, **{name: batch[name] for name in per_batch})

    return change
