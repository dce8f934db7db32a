"""Compare methods of scikit-learn with networks: on the same examples and the same split as a run.

    dlcourse baseline data=mnist data.examples=6000 method=knn,svm,stumps,forest
    dlcourse baseline knn.neighbors=1,3,5,9 svm.c=1,10,100
    dlcourse baseline data=diabetes split=kfold split.folds=5

{methods}

A regression uses their counterparts: the mean of the neighbours, support vector regression, stumps
and forests of values, ridge regression. method=all takes all of them.

{options}

With several values, separated by commas, the best on the validation part is chosen; the test part
is read once, with that choice.

Of a run's options it takes data, split and seed with theirs: data.examples, data.random_labels,
data.standardize, split.fraction ... The examples, their labels, their division and their
standardisation are exactly those of a run with the same options. As a network does, a method learns
from the training part alone. In cross-validation the metrics are means over the folds.

Prints the table, and how long it will take if that is long; writes results.csv, results.json and a
plot into a new folder below outputs/baseline/.
"""

from collections.abc import Sequence

from dlcourse.baseline.arguments import METHOD_OPTIONS, read_baseline
from dlcourse.baseline.methods import METHODS
from dlcourse.errors import listed_lines
from dlcourse.terminal.live_line import duration, working

WORTH_SAYING = 20.0  # seconds
OPTION_LINES = {
    "knn.neighbors": "5: how many neighbours decide",
    "svm.c": "1: the weight of examples on the wrong side of the margin",
    "svm.gamma": "scale, or a number: how near the kernel's neighbourhood is; larger is nearer",
    "stumps.n": "100: the number of rounds, each with a stump for every class",
    "stumps.rate": "0.1: the share of each stump that is added",
    "forest.n": "100: the number of trees",
    "linear.penalty": "1: the strength of the L2 penalty",
}
"""What each option of a method is, with its default."""


def main(args: list[str]) -> None:
    """Fit the methods, print their table and write the files."""
    plan = read_baseline(args, help_for(args))
    with working("importing scikit-learn, reading the data", plain=False):
        from dlcourse.baseline.fit_baselines import (
            expected_seconds,
            fit_method,
            fold_tables,
            warm_up,
        )
        from dlcourse.baseline.write_baselines import baseline_rows, write_baselines
        from dlcourse.race.table import aligned

        folds = fold_tables(plan)
        warm_up(plan.candidates, folds)
    with working("trying few examples", plain=False):
        expected = expected_seconds(plan, folds)
    if sum(expected.values()) > WORTH_SAYING:
        print(time_note(expected, folds.examples["train"]), flush=True)
    total = sum(map(len, plan.candidates.values()))
    with working("fitting", total, plain=False) as advance:
        baselines = [
            fit_method(name, candidates, folds, lambda: advance(1))
            for name, candidates in plan.candidates.items()
        ]
    examples, count = folds.examples, len(folds.parts)
    means = f", means over {count} folds" if count > 1 else ""
    sizes = ", ".join(f"{number:,} {part}" for part, number in examples.items())
    print(f"{plan.data}: {sizes} examples{means}")
    print("\n".join(aligned(baseline_rows(baselines))))
    with working("drawing", plain=False):
        folder = write_baselines(plan, folds, baselines, args)
    print(f"The table and the plot are in {folder}")


def time_note(expected: dict[str, float], examples: int) -> str:
    """Return how long the methods will take together, and each."""
    each = ", ".join(f"{name} {duration(seconds)}" for name, seconds in expected.items())
    return (
        f"This takes about {duration(sum(expected.values()))} for {examples:,} training examples "
        f"({each}); data.examples=5000 takes less"
    )


def help_for(args: Sequence[str]) -> str:
    """Return the help of the command, with the methods and their options."""
    methods = listed_lines({name: method.what for name, method in METHODS.items()}, "method")
    width = max(map(len, METHOD_OPTIONS))
    options = "\n".join(f"  {key:{width}}  {OPTION_LINES[key]}" for key in METHOD_OPTIONS)
    return (__doc__ or "").format(methods=methods, options=options)
