"""What a person is told at the end of a cross-validation; imports no torch."""


def lines(result: dict) -> list[str]:
    """Return the lines that a run's ``result.json`` is worth on the screen.

    Of a cross-validation: mean and standard deviation over the folds, the figures over all examples
    that were validated, and those of the folds' models asked as one. A hold-out has told its
    figures before, and gets no lines.
    """
    folds = len(result.get("folds", []))
    spread = [
        f"{name} {mean:.4f} ± {result['std'][name]:.4f} over {folds} folds"
        for name, mean in result.get("mean", {}).items()
    ]
    pooled = [
        f"out-of-fold val/{name} {figure:.4f}"
        for name, figure in result.get("out_of_fold", {}).items()
    ]
    together = [
        f"test/{name} of the {folds} models together {figure:.4f}"
        for name, figure in result.get("ensemble", {}).items()
    ]
    return [*spread, *pooled, *together]
