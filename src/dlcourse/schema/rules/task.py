"""Losses, metrics and models that are for classes, and those that are for values."""

from collections.abc import Iterator

from dlcourse.schema.facts import (
    CLASS_LOSSES,
    CLASS_METRICS,
    CLASS_MODELS,
    SOFT_LOSSES,
    SOFT_TARGETS,
    VALUE_METRICS,
    is_regression,
    target,
)


def losses_and_models_fit_the_task(config: dict) -> Iterator[str]:
    """Values have no classes to tell apart."""
    if not is_regression(config):
        return
    loss, model = target(config, "loss"), target(config, "model")
    if loss in CLASS_LOSSES:
        name = loss.split(".")[-1]
        yield f"loss={name} is for classes, and this data set is a regression.\nType loss=mse"
    if model in CLASS_MODELS:
        name = model.split(".")[-2]
        yield (
            f"model={name} is for classes, and this data set is a regression.\n"
            "Type model=linear or model=mlp"
        )


def metrics_fit_the_task(config: dict) -> Iterator[str]:
    """Classes have no RMSE, and values no accuracy."""
    data = target(config, "data")
    if is_regression(config):
        wrong = [name for name in config["metric"] if name in CLASS_METRICS]
        if wrong:
            yield (
                f"metric={wrong[0]} is for classes, and this data set is a regression.\n"
                "Type 'metric=[rmse,r2]'"
            )
    elif data.startswith("dlcourse.data."):
        wrong = [name for name in config["metric"] if name in VALUE_METRICS]
        if wrong:
            yield (
                f"metric={wrong[0]} is for a regression, and this data set has classes.\n"
                "Type 'metric=[accuracy]'"
            )


def mixed_targets_need_a_loss_that_takes_them(config: dict) -> Iterator[str]:
    """A mixed example belongs to two classes, by shares."""
    mixing = [name for name in config["augment"] if name in SOFT_TARGETS]
    loss = target(config, "loss")
    if mixing and loss in CLASS_LOSSES and loss not in SOFT_LOSSES:
        name = loss.split(".")[-1]
        yield (
            f"augment={mixing[0]} mixes classes, and loss={name} takes one class for each "
            "example.\nType loss=cross_entropy"
        )


def an_autoencoder_has_its_inputs_as_targets(config: dict) -> Iterator[str]:
    """Otherwise it would be a bottleneck in front of classes."""
    model = target(config, "model")
    if model == "dlcourse.model.autoencoder.Autoencoder" and not config["data"]["reconstruct"]:
        yield (
            "model=autoencoder reconstructs its inputs, got data.reconstruct=false.\n"
            "Type data.reconstruct=true, or model=mlp"
        )
    if config["data"]["reconstruct"] and config["data"]["random_labels"]:
        yield "data.reconstruct=true leaves no labels.\nType data.random_labels=0"


RULES = (
    an_autoencoder_has_its_inputs_as_targets,
    losses_and_models_fit_the_task,
    metrics_fit_the_task,
    mixed_targets_need_a_loss_that_takes_them,
)
