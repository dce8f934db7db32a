"""The augmentations of a run on its own training examples."""

from collections.abc import Mapping
from typing import Any

from dlcourse.drawing.augmented import draw_augmented_images, draw_augmented_points
from dlcourse.drawing.text import class_labels, shortened
from dlcourse.engine.augmented import augmented_batches
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.subject import Drawing, Subject

MOST_SHOWN_POINTS = 500


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw training examples unchanged and after each of several draws of the augmentations.

    Raises NotApplicableError for a run without augmentations, and for a table of more than two
    features.
    """
    names = ", ".join(subject.config["augment"])
    if not names:
        raise NotApplicableError("the run has no augmentations: augment=[]")
    if not subject.of_images and subject.input_shape[0] > 2:
        raise NotApplicableError(
            f"a table of {subject.input_shape[0]} features cannot be drawn with augmentations"
        )
    dataset = subject.dataset
    wanted = options["examples"] if subject.of_images else MOST_SHOWN_POINTS
    examples = min(wanted, len(dataset.train))
    batches = [
        (inputs.cpu().numpy(), targets.cpu().numpy())
        for inputs, targets in augmented_batches(
            dict(subject.config), dataset, examples, options["draws"]
        )
    ]
    classes = [shortened(label, 16) for label in class_labels(dataset.classes)[0]]
    draw = draw_augmented_images if subject.of_images else draw_augmented_points
    title = f"{subject.result['data']}: augment=[{names.replace(' ', '')}]"
    first, *others = (inputs.astype(float) for inputs, _ in batches)
    away = [abs(changed - first).mean() for changed in others]
    unit = " gray levels of 255" if subject.of_images else ""
    seen = (
        f"{examples} training examples, unchanged and after {options['draws']} draws of {names}; "
        f"a value changes by {sum(away) / len(away):.3g}{unit} on average"
    )
    return [Drawing("", [draw(batches, classes, title)], seen)]
