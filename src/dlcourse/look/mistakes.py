"""The examples that a classifier gets wrong, is unsure of, or has the largest loss on."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dlcourse.core import Split
from dlcourse.drawing import mistakes as drawing
from dlcourse.engine.datasets import load_data
from dlcourse.introspect.classification import true_class
from dlcourse.introspect.displayed import displayed
from dlcourse.introspect.linear_map import feature_names
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.run_parts import PART_TEXT, RunParts, run_parts
from dlcourse.look.subject import Drawing, Subject
from dlcourse.terminal.live_line import working
from dlcourse.train.evaluate import evaluate_split

WHAT = {
    "confidence": "most confident mistakes",
    "uncertainty": "least certain examples",
    "loss": "largest losses",
}
MOST_NUMBERS = 10  # positions in the line below the file


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw the examples that ``by`` ranks highest, of all classes or of the chosen ones.

    Raises NotApplicableError for a regression, and if no example fits the options.
    """
    if not subject.classes:
        raise NotApplicableError("what=mistakes needs classes, and this run is a regression")
    if subject.opened.task == "multilabel":
        raise NotApplicableError(
            "what=mistakes needs one class for each example, and here an example can have several; "
            "the plot mistakes in the run's folder shows those with a wrong class"
        )
    parts, by = run_parts(subject), options["by"]
    part = options["part"] or ("train" if by == "loss" else "test")
    split = parts.part(part)
    network, own = subject.network, parts.fold.standardize
    meter = evaluate_split(network, split, own, parts.recipe, keep=True, what="predicting")
    outputs, targets = meter.kept_outputs()
    outputs, own_class = outputs.double(), true_class(targets)
    losses = each_loss(outputs, targets, parts)
    values = {
        "confidence": outputs.softmax(1).amax(1),
        "uncertainty": entropy(outputs),
        "loss": losses,
    }[by]
    fitting = chosen_examples(outputs.argmax(1), own_class, options)
    wrong = outputs.argmax(1) != own_class
    if by == "confidence":
        fitting &= wrong
    ranked = values.masked_fill(~fitting, -torch.inf).argsort(descending=True, stable=True)
    found = ranked[: min(options["most"], int(fitting.sum()))]
    if not len(found):
        raise NotApplicableError(nothing_found(subject, part, options, int(wrong.sum())))
    before = labels_before_noise(subject, parts, part)
    replaced = None if before is None else before != own_class
    title = "\n".join(title_lines(subject, part, by, found, wrong, len(split), replaced))
    notes = [
        note(by, n, losses, values, before, own_class, subject.classes) for n in found.tolist()
    ]
    figure = draw_examples(subject, split, outputs, own_class, found, title, notes)
    seen = line_of_mistakes(subject, part, found, wrong, outputs, own_class, losses, replaced)
    return [Drawing("", [figure], seen)]


def each_loss(outputs: Tensor, targets: Tensor, parts: RunParts) -> Tensor:
    """Return the run's loss of each example (N,), without label smoothing."""
    with working("computing the loss of each example", len(outputs)) as advance:
        losses = []
        for output, target in zip(outputs.float(), targets, strict=True):
            losses.append(parts.recipe.plain_loss(output[None], target[None]))
            advance(1)
    return torch.stack(losses).cpu().double()


def entropy(outputs: Tensor) -> Tensor:
    """Return the entropy (N,) of the softmax of outputs (N, K), in nats."""
    logs = outputs.log_softmax(1)
    return -(logs.exp() * logs).sum(1)


def chosen_examples(predicted: Tensor, own: Tensor, options: Mapping[str, Any]) -> Tensor:
    """Return which examples (N,) have the classes that the options name.

    ``class`` is the true or the predicted one, ``true`` and ``predicted`` are one of them.
    """
    chosen = torch.ones_like(own, dtype=torch.bool)
    if options["class"] is not None:
        chosen &= (own == options["class"]) | (predicted == options["class"])
    if options["true"] is not None:
        chosen &= own == options["true"]
    if options["predicted"] is not None:
        chosen &= predicted == options["predicted"]
    return chosen


def labels_before_noise(subject: Subject, parts: RunParts, part: str) -> Tensor | None:
    """Return the classes (N,) before ``data.random_labels`` replaced some of them.

    None without such labels, and for the test part, where no label is replaced.
    """
    data = subject.config["data"]
    if not data["random_labels"] or part not in parts.index:
        return None
    plain = load_data({**subject.config, "data": {**data, "random_labels": 0.0}})
    return true_class(plain.train.targets)[parts.index[part]].cpu()


def title_lines(
    subject: Subject,
    part: str,
    by: str,
    found: Tensor,
    wrong: Tensor,
    total: int,
    replaced: Tensor | None,
) -> list[str]:
    """Return the lines of the title: what is shown, and how many have a replaced label."""
    errors = int(wrong.sum())
    shown = f"The {len(found)} {WHAT[by]}"
    if by == "confidence" and len(found) == errors:
        shown = f"All {errors} mistake{'s' * (errors != 1)}"
    lines = [f"{shown} among {total:,} {PART_TEXT[part]} examples ({errors:,} wrong)"]
    if replaced is not None:
        lines.append(
            f"{int(replaced[found].sum())} of them have a wrong label, of all examples "
            f"{replaced.double().mean():.0%}"
        )
    of = "probabilities" if subject.opened.outputs == "softmax" else "softmax of the scores"
    return [*lines, f"below: true as predicted class ({of})"]


def note(
    by: str,
    number: int,
    losses: Tensor,
    values: Tensor,
    before: Tensor | None,
    own: Tensor,
    classes: tuple[str, ...],
) -> str:
    """Return the last line below an example: its loss, or the label that was replaced."""
    if before is not None and before[number] != own[number]:
        return f"was {classes[int(before[number])]}"[:16]
    if by == "uncertainty":
        return f"entropy {values[number]:.2f}"
    return f"loss {losses[number]:.2f}"


def draw_examples(
    subject: Subject,
    split: Split,
    outputs: Tensor,
    own: Tensor,
    found: Tensor,
    title: str,
    notes: list[str],
) -> Any:
    """Draw examples as images, as points of two features, or as rows of a table."""
    probabilities, predicted = outputs.softmax(1), outputs.argmax(1)
    mistakes: list[drawing.Mistake] = [
        (
            n, int(own[n]), int(predicted[n]), float(probabilities[n, own[n]]),
            float(probabilities[n, predicted[n]]),
        )
        for n in found.tolist()
    ]  # fmt: skip
    ((inputs, _),) = split.batches([found.to(split.device)])
    if subject.of_images:
        return drawing.draw_image_mistakes(
            displayed(inputs), mistakes, subject.classes, title, notes
        )
    names, everything = feature_names(subject.dataset), split.inputs.cpu().float().numpy()
    if subject.input_shape == (2,):
        return drawing.draw_point_mistakes(
            everything, own.numpy(), mistakes, subject.classes, names, title
        )
    typical = everything.mean(0), everything.std(0)
    rows = inputs.cpu().float().numpy()
    return drawing.draw_table_mistakes(rows, typical, names, mistakes, subject.classes, title)


def line_of_mistakes(
    subject: Subject,
    part: str,
    found: Tensor,
    wrong: Tensor,
    outputs: Tensor,
    own: Tensor,
    losses: Tensor,
    replaced: Tensor | None,
) -> str:
    """Return the line on what is seen: how many are wrong, the pair confused most, positions."""
    total, errors = len(wrong), int(wrong.sum())
    text = f"{errors:,} of {total:,} {PART_TEXT[part]} examples are wrong"
    if errors:
        pairs = torch.stack([own[wrong], outputs[wrong].argmax(1)], 1)
        unique, counts = pairs.unique(dim=0, return_counts=True)
        (true, given), most = unique[counts.argmax()].tolist(), int(counts.max())
        classes = subject.classes
        text += f", most often {classes[true]} as {classes[given]} ({most:,})"
    if replaced is not None:
        text += (
            f"; {int(replaced[found].sum())} of the {len(found)} shown have a wrong label, of all "
            f"{replaced.double().mean():.0%}"
        )
    numbers = ", ".join(str(n) for n in found[:MOST_NUMBERS].tolist())
    more = " ..." if len(found) > MOST_NUMBERS else ""
    mean = float(losses[found].mean())
    return f"{text}; mean loss {mean:.2f}, of all {losses.mean():.2f}; examples {numbers}{more}"


def nothing_found(subject: Subject, part: str, options: Mapping[str, Any], wrong: int) -> str:
    """Return the message for options that no example fits."""
    chosen = [
        f"{key}={subject.classes[options[key]]}"
        for key in ("class", "true", "predicted")
        if options[key] is not None
    ]
    if not chosen:
        return f"no {PART_TEXT[part]} example is wrong; type by=uncertainty for the least certain"
    kind = "mistake" if options["by"] == "confidence" else "example"
    return f"no {kind} in the {PART_TEXT[part]} part with {' '.join(chosen)}; {wrong:,} are wrong"
