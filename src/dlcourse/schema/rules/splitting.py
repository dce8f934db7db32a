"""Folds, and the groups and examples that they are made of."""

from collections.abc import Iterator

from dlcourse.schema.facts import DIVIDE_EXAMPLES, GROUP_KFOLD, NESTED, SIZES, is_regression, target


def folds_are_filled(config: dict) -> Iterator[str]:
    """Every fold validates on one example at least."""
    data, split = config["data"], config["split"]
    known, _ = SIZES.get(data.get("_target_"), (data.get("train_examples"), 2))
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
                f"{' beside the outer fold' if key == 'split.inner' else ''}.\n"
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
    """What is known of one half of a group would be asked of the other."""
    name, data = target(config, "split"), config["data"]
    if data.get("group") is not None and name in DIVIDE_EXAMPLES:
        yield (
            f"split={DIVIDE_EXAMPLES[name]} divides single rows, and would put a group of "
            f"data.group={data['group']} on both sides.\n"
            "Type split=group_kfold or split=holdout, or data.group=null"
        )
    own = not target(config, "data").startswith("dlcourse.data.")
    if name == GROUP_KFOLD and data.get("group") is None and not own:
        yield (
            "split=group_kfold keeps groups whole, and these data have none.\n"
            "Type data=csv data.group=<column>, or split=kfold"
        )


def only_classes_are_stratified(config: dict) -> Iterator[str]:
    """There is nothing to spread evenly in a regression."""
    if not is_regression(config):
        return
    split = target(config, "split")
    if split == "dlcourse.split.stratified_kfold.stratified_kfold":
        yield (
            "split=stratified_kfold spreads classes evenly, and a regression has none.\n"
            "Type split=kfold"
        )
    if split in DIVIDE_EXAMPLES and config["split"].get("stratified"):
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
