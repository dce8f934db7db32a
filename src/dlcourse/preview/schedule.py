"""Draw the learning rate over a whole run, as training will set it before each step.

    dlcourse show what=schedule schedule=cosine schedule.warmup=2
    dlcourse show what=schedule schedule=constant,step,cosine,one_cycle optim.lr=0.1 max_epochs=30
    dlcourse show what=schedule schedule=plateau scores=0.5,0.7,0.7,0.7,0.7,0.7,0.7,0.7

All other options are those of a run; where one has several values, there is a curve for each
combination. Parameters with another rate (optim.rates) have a curve of their own, and epochs in
which parameters are frozen (optim.freeze_until, optim.freeze_after) are marked.

scores: the monitored metric of each epoch, for schedule=plateau, which depends on it; after the
last one the metric no longer changes. scale: linear or log, the axis of the learning rate.

Writes schedule.png and schedule.svg into a new folder below outputs/show/.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlcourse.errors import UserError
from dlcourse.preview.output import new_folder, save_shown
from dlcourse.preview.variants import Variant, variants_of
from dlcourse.schema.arguments import choice_argument, numbers_argument
from dlcourse.schema.facts import (
    example_shape,
    examples_of,
    fact,
    name_of,
    training_share,
    with_random_weights,
)
from dlcourse.terminal.fitted import print_table, wrap_to_terminal
from dlcourse.terminal.live_line import working

if TYPE_CHECKING:
    from dlcourse.drawing.schedule import Frozen, RateCurve

OPTIONS = {"scores": "", "scale": "linear"}
MOST_RUNS = 12
MOST_STEPS_DRAWN = 20_000  # of a curve; a longer run is shown at that many of its steps


def show(options: Mapping[str, str], rest: Sequence[str], command: str) -> None:
    """Compute the rates with the functions of training, draw them, and print the main ones."""
    scale = choice_argument(options, "scale", ("linear", "log"))
    scores = numbers_argument(options, "scores") if options["scores"] else None
    runs = variants_of(rest, "a plot of learning rates", MOST_RUNS)
    for run in runs:
        refuse_unknown_scores(run, scores)

    with working("importing PyTorch", plain=False):
        from dlcourse.drawing.schedule import draw_schedule
    curves: list[RateCurve] = []
    spans: list[Frozen] = []
    lengths, facts = set(), {}
    for run in runs:
        steps, epochs, some, frozen = rates_of(run, scores or [])
        lengths.add(steps)
        facts[f"{epochs:g} epochs, {steps:,} steps in each"] = None
        curves += some
        spans += [span for span in frozen if span not in spans]
    print(wrap_to_terminal(f"{'; '.join(facts)}."))
    print_rates(curves)
    for span in spans:
        window = f"{span.label}: frozen from epoch {span.start:g} to epoch {span.end:g}."
        print(wrap_to_terminal(window))
    title = f"Learning rate: {runs[0].choices['optim']}" + (
        f", schedule={runs[0].choices['schedule']}" if len(runs) == 1 else ""
    )
    steps = lengths.pop() if len(lengths) == 1 else None
    figure = draw_schedule(curves, title, steps_per_epoch=steps, frozen=spans, log=scale == "log")
    names = "-".join(dict.fromkeys(run.choices["schedule"] for run in runs))
    save_shown({"schedule": figure}, new_folder(f"schedule_{names}"))


def refuse_unknown_scores(run: Variant, scores: Sequence[float] | None) -> None:
    """Raise UserError for a schedule that depends on scores which are not given."""
    name = name_of(run.config["schedule"]["_target_"])
    if name == "plateau" and scores is None:
        raise UserError(
            "schedule=plateau lowers the rate when the monitored metric stops improving, so its "
            "rates are not known before training.\n"
            f"Type a metric for each epoch, such as scores=0.5,0.7,0.7,0.7 "
            f"({run.config['monitor']}, the {run.config['mode']}imum is the best)"
        )
    if fact(run.config["optim"], "own_length") or fact(run.config["model"], "own_length"):
        raise UserError(
            f"optim={run.choices['optim']} with model={run.choices['model']} finds the length of "
            "its steps itself: it has no learning rate over the run.\nType optim=sgd or optim=adam"
        )


def rates_of(
    run: Variant, scores: Sequence[float]
) -> tuple[int, float, list["RateCurve"], list["Frozen"]]:
    """Return the steps of an epoch, the epochs, the curves and the frozen epochs of a run."""
    import numpy as np

    from dlcourse.drawing.schedule import Frozen, RateCurve
    from dlcourse.engine.assemble import epochs_of, make_schedule, steps_of_epoch
    from dlcourse.train.batches import all_steps
    from dlcourse.train.learning_rate import LearningRates

    config = run.config
    examples, optimizer, names = optimizer_of_run(config)
    max_epochs = epochs_of(config)
    per_epoch = steps_of_epoch(config, examples)
    total = all_steps(per_epoch, max_epochs)
    shown = np.unique(np.linspace(0, total - 1, min(total, MOST_STEPS_DRAWN)).astype(int))
    schedule, rates = make_schedule(config), LearningRates(optimizer)
    past = [score if config["mode"] == "max" else -score for score in scores]
    found = []
    for number in shown.tolist():
        epoch = number // per_epoch
        now = epoch + number % per_epoch / per_epoch
        known = (past + past[-1:] * epoch)[:epoch]
        rates.set(schedule(now, max_epochs, known), now)
        found.append([float(group["lr"]) for group in optimizer.param_groups])
    epochs = np.append(shown / per_epoch, max_epochs)  # the last rate holds until the end
    groups = np.array([*found, found[-1]]).T  # (groups, points)
    labels: dict[bytes, list[str]] = {}
    for values, some in zip(groups, names, strict=True):
        labels.setdefault(values.tobytes(), []).extend(some)
    curves = []
    for values, some in labels.items():
        own = "" if len(labels) == 1 else shortened_list(some)
        label = ", ".join(part for part in (run.label, own) if part)
        curves.append(RateCurve(label, epochs, np.frombuffer(values)))
    windows = [
        *((text, 0.0, True) for text in config["optim"]["freeze_until"]),
        *((text, max_epochs, False) for text in config["optim"]["freeze_after"]),
    ]
    frozen = []
    for text, edge, until in windows:
        pattern, _, number = text.rpartition(":")
        start, end = (edge, float(number)) if until else (float(number), float(edge))
        frozen.append(Frozen(pattern, start, end))
    return per_epoch, max_epochs, curves, frozen


def optimizer_of_run(config: dict) -> tuple:
    """Return the number of training examples, the optimizer, and the names in each of its groups.

    The data are loaded only if their size is not known without them.
    """
    from dlcourse.engine.assemble import make_model, make_optimizer
    from dlcourse.engine.datasets import load_data, split_training_data
    from dlcourse.engine.instantiate import build

    known, examples = example_shape(config), examples_of(config)
    if known is None or examples is None:
        dataset = load_data(config)
        known = dataset.input_shape, dataset.output_size
        trained = len(split_training_data(config, dataset)[0].train)
    else:
        trained = training_share(config, examples)
    model = make_model(with_random_weights(config["model"]), *known)
    optimizer = make_optimizer(config, build(config["runtime"])(), model)
    names = {parameter: name for name, parameter in model.named_parameters()}
    return trained, optimizer, [[names[p] for p in g["params"]] for g in optimizer.param_groups]


def shortened_list(names: Sequence[str]) -> str:
    """Return the first of some names and the number of the others."""
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def print_rates(curves: Sequence["RateCurve"]) -> None:
    """Print a row for each curve: its rate at the start, the highest, half-way, at the end."""
    head = ("curve", "first step", "highest", "in epoch", "half-way", "last step", "mean")
    rows = []
    for curve in curves:
        rates, epochs = curve.rates, curve.epochs
        top = int(rates.argmax())
        middle = int(abs(epochs - epochs[-1] / 2).argmin())
        values = (rates[0], rates[top], rates[middle], rates[-1], rates[:-1].mean())
        first, highest, half, last, mean = (f"{value:.4g}" for value in values)
        rows.append((curve.label, first, highest, f"{epochs[top]:.3g}", half, last, mean))
    if len(curves) == 1 and not curves[0].label:  # one curve needs no name
        head, rows = head[1:], [row[1:] for row in rows]
    print_table(head, rows, left=("curve",), optional=("mean", "half-way", "in epoch"))
