"""Rules about folds, and the groups and examples that they are made of."""

from collections.abc import Iterator

from dlcourse.schema.facts import fact, is_regression, name_of, sizes_of, target

NESTED = "dlcourse.split.nested.nested"


def folds_are_filled(config: dict) -> Iterator[str]:
    """Every fold has at least one example for validation."""
    data, split = config["data"], config["split"]
    known, _ = sizes_of(data)
    examples = data["examples"] or known
    if examples is None:
        return
    needs = {"split.folds": (split.get("folds"), examples)}
    if target(config, "split") == NESTED:
        held = -(-examples // split["outer"])  # the largest outer fold
        needs = {
            "split.outer": (split["outer"], examples),
            "split.inner": (split["inner"], examples - held),
        }
    for key, (folds, most) in needs.items():
        if folds and folds > most:
            yield (
                f"{key}={folds} is more than the {most} examples there are"
                f"{' outside the outer fold' if key == 'split.inner' else ''}.\n"
                f"Type {key}={most} or less"
            )


def the_outer_fold_is_one_of_them(config: dict) -> Iterator[str]:
    """Outer folds are counted from 0."""
    split = config["split"]
    if target(config, "split") == NESTED and split["fold"] >= split["outer"]:
        yield (
            f"split.fold={split['fold']} is not one of split.outer={split['outer']} folds, which "
            f"are counted from 0.\nType split.fold={split['outer'] - 1} or less"
        )


def groups_stay_together(config: dict) -> Iterator[str]:
    """A group must not be divided between training and validation: its examples are alike."""
    name, data = name_of(target(config, "split")), config["data"]
    grouping = fact(config["split"], "grouping")
    if data.get("group") is not None and grouping == "divided":
        yield (
            f"split={name} divides single rows, and would put a group of "
            f"data.group={data['group']} on both sides.\n"
            "Type split=group_kfold or split=holdout, or data.group=null"
        )
    own = not target(config, "data").startswith("dlcourse.data.")
    if grouping == "needed" and data.get("group") is None and not own:
        yield (
            f"split={name} keeps groups whole, and these data have none.\n"
            "Type data=csv data.group=<column>, or split=kfold"
        )


def only_classes_are_stratified(config: dict) -> Iterator[str]:
    """A regression has no classes that could be spread evenly."""
    if not is_regression(config):
        return
    split = config["split"]
    if fact(split, "task") == "classification":
        yield (
            f"split={name_of(target(config, 'split'))} spreads classes evenly, and a "
            "regression has none.\nType split=kfold"
        )
    if fact(split, "grouping") == "divided" and split.get("stratified"):
        yield (
            "split.stratified=true spreads classes evenly, and a regression has none.\n"
            "Type split.stratified=false"
        )


RULES = (
    folds_are_filled,
    the_outer_fold_is_one_of_them,
    groups_stay_together,
    only_classes_are_stratified,
)
