"""Rules about the task: one class, several classes or values, and what fits each of them."""

from collections.abc import Iterator

from dlcourse.schema.facts import fact, name_of, target, task_of

FOR = {
    "classification": "one class for each example",
    "multilabel": "examples with several classes",
    "regression": "a regression",
}
"""What a choice of each task is for."""
HAS = {
    "classification": "this data set has one class for each",
    "multilabel": "in this data set an example can have several",
    "regression": "this data set is a regression",
}
FITTING_METRICS = {
    "classification": "'metric=[accuracy]'",
    "multilabel": "'metric=[multilabel]' monitor=val/f1_macro mode=max",
    "regression": "'metric=[rmse,r2]'",
}
"""What to type for metrics that fit each task."""


def losses_fit_the_task(config: dict) -> Iterator[str]:
    """A regression has no classes, and not every loss takes several classes of one example."""
    task, loss = task_of(config), config["loss"]
    name, own = name_of(target(config, "loss")), fact(loss, "task")
    if task == "regression" and own not in ("regression", "any", None):
        yield f"loss={name} is for classes, and this data set is a regression.\nType loss=mse"
    if task in ("classification", "multilabel") and own == "regression":
        to_type = "cross_entropy" if task == "classification" else "bce"
        yield f"loss={name} is for values, and this data set has classes.\nType loss={to_type}"
    several = fact(loss, "multilabel")
    if task == "multilabel" and (several is False or (several is None and own == "classification")):
        more = "" if metrics_fit(config) else f" {FITTING_METRICS['multilabel']}"
        yield (
            f"loss={name} takes one class for each example, and {HAS['multilabel']}.\n"
            f"Type loss=bce{more}"
        )


def classes_are_there_to_be_balanced(config: dict) -> Iterator[str]:
    """Weights of classes, and a sampler that draws classes equally often, need classes."""
    task, weight = task_of(config), config["loss"].get("class_weight")
    if task == "regression" and weight is not None:
        yield (
            f"loss.class_weight={weight} weighs classes, and {HAS[task]}.\n"
            "Type loss.class_weight=null"
        )
    if task in ("regression", "multilabel") and fact(config["sampler"], "task") == "classification":
        name = name_of(target(config, "sampler"))
        other = " loss.class_weight=balanced" if task == "multilabel" else ""
        yield (
            f"sampler={name} needs one class for each example, and {HAS[task]}.\n"
            f"Type sampler=shuffle{other}"
        )


def models_fit_the_task(config: dict) -> Iterator[str]:
    """A threshold neuron decides between classes, of which each example has one."""
    task = task_of(config)
    if fact(config["model"], "task") != "classification" or task in ("classification", None):
        return
    name = name_of(target(config, "model"))
    yield (
        f"model={name} is for {FOR['classification']}, and {HAS[task]}.\n"
        "Type model=linear or model=mlp"
        if task == "multilabel"
        else f"model={name} is for classes, and this data set is a regression.\n"
        "Type model=linear or model=mlp"
    )


def metrics_fit(config: dict) -> bool:
    """Return whether no metric is for another task."""
    return not list(metrics_fit_the_task(config))


def metrics_fit_the_task(config: dict) -> Iterator[str]:
    """Classes have no RMSE, and values no accuracy."""
    task = task_of(config)
    tasks = {name: fact(metric, "task") for name, metric in config["metric"].items()}
    wrong = [(name, one) for name, one in tasks.items() if one not in (task, "any", None)]
    if task is None or not wrong:
        return
    name, own = wrong[0]
    several = "multilabel" in (task, own)
    what = FOR[own] if several or own == "regression" else "classes"
    data = HAS[task] if several or task == "regression" else "this data set has classes"
    yield f"metric={name} is for {what}, and {data}.\nType {FITTING_METRICS[task]}"


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


def columns_to_predict_fit_the_task(config: dict) -> Iterator[str]:
    """A classification predicts one column; with several classes each is a column of its own."""
    data = config["data"]
    names, task = data.get("target"), data.get("task")
    if not isinstance(names, list) and task != "multilabel":
        return
    several = isinstance(names, list) and len(names) > 1
    if task == "classification" and several:
        yield (
            f"data.target names {len(names)} columns, and a classification predicts one.\n"
            "Type data.task=multilabel loss=bce if each column is a class that a row has or has "
            "not, data.task=regression if they are values, or a single data.target"
        )
    if task == "multilabel" and "target" in data and not several:
        yield (
            "data.task=multilabel needs a column for each class, got one in data.target.\n"
            "Type 'data.target=[first,second]', or data.task=classification"
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
    losses_fit_the_task,
    classes_are_there_to_be_balanced,
    models_fit_the_task,
    metrics_fit_the_task,
    columns_to_predict_fit_the_task,
    mixed_targets_need_a_loss_that_takes_them,
)
