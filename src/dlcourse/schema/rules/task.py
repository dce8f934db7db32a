"""Rules about the task: losses, metrics and models for classes, and those for values."""

from collections.abc import Iterator

from dlcourse.schema.facts import fact, is_regression, name_of, target, task_of


def losses_and_models_fit_the_task(config: dict) -> Iterator[str]:
    """A regression has no classes."""
    if not is_regression(config):
        return
    if fact(config["loss"], "task") == "classification":
        name = name_of(target(config, "loss"))
        yield f"loss={name} is for classes, and this data set is a regression.\nType loss=mse"
    if fact(config["model"], "task") == "classification":
        name = name_of(target(config, "model"))
        yield (
            f"model={name} is for classes, and this data set is a regression.\n"
            "Type model=linear or model=mlp"
        )


def metrics_fit_the_task(config: dict) -> Iterator[str]:
    """Classes have no RMSE, and values no accuracy."""
    task = task_of(config)
    tasks = {name: fact(metric, "task") for name, metric in config["metric"].items()}
    if task == "regression":
        wrong = [name for name, one in tasks.items() if one == "classification"]
        if wrong:
            yield (
                f"metric={wrong[0]} is for classes, and this data set is a regression.\n"
                "Type 'metric=[rmse,r2]'"
            )
    elif task == "classification":
        wrong = [name for name, one in tasks.items() if one == "regression"]
        if wrong:
            yield (
                f"metric={wrong[0]} is for a regression, and this data set has classes.\n"
                "Type 'metric=[accuracy]'"
            )


def mixed_targets_need_a_loss_that_takes_them(config: dict) -> Iterator[str]:
    """A mixed example belongs to two classes, each with a probability.

    A loss that declares nothing is allowed; ``engine.soft_targets`` reports it if it fails.
    """
    mixing = [name for name, node in config["augment"].items() if fact(node, "mixes_targets")]
    loss, soft = config["loss"], fact(config["loss"], "soft_targets")
    if mixing and not soft and (soft is False or fact(loss, "task") == "classification"):
        declare = (
            "; or add _facts_: {soft_targets: true} to its YAML, if it takes shares of classes"
        )
        yield (
            f"augment={mixing[0]} mixes classes, and loss={name_of(target(config, 'loss'))} takes "
            f"one class for each example.\nType loss=cross_entropy{declare * (soft is None)}"
        )


def an_autoencoder_has_its_inputs_as_targets(config: dict) -> Iterator[str]:
    """An autoencoder needs its inputs as targets."""
    if fact(config["model"], "reconstructs") and not config["data"]["reconstruct"]:
        yield (
            f"model={name_of(target(config, 'model'))} reconstructs its inputs, got "
            "data.reconstruct=false.\n"
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
