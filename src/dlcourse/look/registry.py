"""What ``dlcourse look`` can draw: one line, the options, and one module for each ``what``.

The module ``dlcourse.look.<name>`` has one function

    look_at(subject, options) -> list of Drawing

subject: the opened run, a ``dlcourse.look.subject.Subject``. options: the value of each option that
is declared here, under its name. It raises NotApplicableError, with the reason, for a run that has
nothing of this kind.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dlcourse.errors import UserError, listed_lines, meant, not_there
from dlcourse.look.values import class_number, images_in
from dlcourse.schema.bounds import whole_number
from dlcourse.schema.kinds import Flag, Kind, Number, OneOf

ALL = "all"


class NotApplicableError(UserError):
    """A ``what`` does not exist for this run; its text is the reason."""


@dataclass(frozen=True)
class Option:
    """An option of a ``what``.

    default: its value if it is not typed. meaning: one line for the help. kind: the allowed values;
    None for any text. read: converts a text instead, with the content of the run's result.json; it
    raises UserError for what is not allowed.
    """

    default: Any
    meaning: str
    kind: Kind | None = None
    read: Callable[[str, Mapping[str, Any]], Any] | None = None


@dataclass(frozen=True)
class What:
    """One thing that can be drawn: a line that says what is seen, and its options by name."""

    line: str
    options: Mapping[str, Option] = field(default_factory=dict)


LAYER_OPTION = Option("", "name of a layer, as dlcourse shapes lists them")
IMAGES_OPTION = Option(
    (), "images: a file, files, a folder, or numbers of test examples: 3,17 or 0-5", read=images_in
)
CLASS_OPTION = Option(
    None, "name or number of the class; by default the predicted one", read=class_number
)
EACH_CLASS_OPTION = Option(
    None, "name or number of a class; by default all of them", read=class_number
)
UNIT_OPTION = Option(
    None, "number of a map of a convolution or of an output of a dense layer, from 0",
    whole_number(0, 10**6, 0),
)  # fmt: skip
PART_OPTION = Option(
    "train", "part of the data: train, val or test", OneOf(("train", "val", "test"))
)
SEED_OPTION = Option(0, "seed of the random start", whole_number(0, 2**31 - 1, 0))


def examples_option(default: int, most: int = 64) -> Option:
    """Return the option ``examples``, the number of test examples without ``images=``."""
    return Option(default, "number of examples", whole_number(1, most, default))


def positive_option(default: float, most: float, meaning: str) -> Option:
    """Return an option that takes a number above 0."""
    return Option(default, meaning, Number(0, most, default, above=True))


def whole_option(default: int, most: int, meaning: str, least: int = 1) -> Option:
    """Return an option that takes a whole number."""
    return Option(default, meaning, whole_number(least, most, default))


BLOCKS = whole_number(0, 10_000, 0)
SHOWN_IMAGES = {"images": IMAGES_OPTION, "examples": examples_option(6)}

WHATS: dict[str, What] = {
    "filters": What(
        "the weights of a convolution, or of the first dense layer, as images",
        {"layer": LAYER_OPTION, "most": whole_option(64, 1024, "largest number of images")},
    ),
    "maps": What(
        "the feature maps of a layer for some images",
        {
            "layer": LAYER_OPTION,
            **SHOWN_IMAGES,
            "most": whole_option(32, 256, "largest number of maps"),
        },
    ),
    "activations": What(
        "the distribution of the outputs of each layer over a batch",
        {"images": IMAGES_OPTION, "examples": examples_option(256, 4096)},
    ),
    "saliency": What(
        "how much the output of a class changes with each pixel (Simonyan et al. 2014)",
        {
            **SHOWN_IMAGES,
            "class": CLASS_OPTION,
            "times_input": Option(False, "true: multiply the derivative by the pixel", Flag()),
        },
    ),
    "integrated_gradients": What(
        "what each pixel adds to the output of a class (Sundararajan et al. 2017)",
        {
            **SHOWN_IMAGES,
            "class": CLASS_OPTION,
            "steps": whole_option(50, 1000, "number of points between baseline and image"),
            "baseline": Option("black", "image to start from", OneOf(("black", "white"))),
        },
    ),
    "gradcam": What(
        "which regions are evidence for a class, at a layer of maps (Selvaraju et al. 2017)",
        {**SHOWN_IMAGES, "class": CLASS_OPTION, "layer": LAYER_OPTION},
    ),
    "occlusion": What(
        "how the probability of a class falls if a patch is covered (Zeiler and Fergus 2014)",
        {
            **SHOWN_IMAGES,
            "class": CLASS_OPTION,
            "patch": whole_option(0, 512, "side of the patch; by default a sixth of the image", 0),
            "stride": whole_option(0, 512, "pixels between patches; by default half a patch", 0),
        },
    ),
    "maximise": What(
        "the input that excites a class or a unit, from noise (Erhan et al. 2009)",
        {
            "class": EACH_CLASS_OPTION,
            "layer": Option("", "name of a layer whose units are maximised instead of classes"),
            "unit": UNIT_OPTION,
            "most": whole_option(20, 100, "largest number of classes or units"),
            "seed": SEED_OPTION,
            "steps": whole_option(200, 10_000, "number of steps"),
            "rate": positive_option(4.0, 255, "grey levels that a step changes a pixel by"),
            "jitter": whole_option(1, 64, "pixels that the image is shifted by at most", 0),
            "blur_every": whole_option(4, 10_000, "steps between two blurs; 0: never", 0),
        },
    ),
    "dream": What(
        "an image changed to show more of what a layer sees (Mordvintsev et al. 2015)",
        {
            "images": IMAGES_OPTION,
            "examples": examples_option(4, 16),
            "class": Option(
                None, "name or number of a class, instead of a layer", read=class_number
            ),
            "layer": LAYER_OPTION,
            "unit": UNIT_OPTION,
            "seed": SEED_OPTION,
            "octaves": whole_option(4, 8, "number of sizes, each 1.4 times the one before"),
            "steps": whole_option(20, 1000, "number of steps in each octave"),
            "rate": positive_option(2.0, 255, "grey levels that a step changes a pixel by"),
        },
    ),
    "attention": What(
        "where a ViT's class token looks: each head of a block, and the rollout",
        {
            "images": IMAGES_OPTION,
            "examples": examples_option(4, 32),
            "block": Option(None, "number of the block, from 0; by default the last", BLOCKS),
        },
    ),
    "positions": What("the positional encodings of a ViT, and how similar positions are"),
    "embedding": What(
        "test examples as points: the features of a layer, by PCA and t-SNE",
        {
            "layer": Option("", "name of a layer; by default the inputs of the last one"),
            "method": Option("both", "pca, tsne or both", OneOf(("both", "pca", "tsne"))),
            "examples": examples_option(1000, 20_000),
            "thumbnails": Option(False, "draw images in place of some points", Flag()),
            "seed": SEED_OPTION,
        },
    ),
    "boundary": What(
        "the decision regions of two features; the decision function and margin of two classes",
        {
            "features": Option("", "two features, by name or number; the others at their mean"),
            "points": whole_option(128, 1024, "points of each side of the grid", least=3),
        },
    ),
    "fit": What(
        "the fitted curve of a regression with one input, and the noise",
        {
            "noise": Option(True, "a band of 2 standard deviations of the noise", Flag()),
            "points": whole_option(512, 10_000, "points of the curve", least=3),
        },
    ),
    "mistakes": What(
        "the most confident errors, the least certain examples, or the largest losses",
        {
            "by": Option(
                "confidence",
                "confidence, uncertainty or loss",
                OneOf(("confidence", "uncertainty", "loss")),
            ),
            "part": Option(
                "",
                "train, val or test; by default test, for by=loss train",
                OneOf(("train", "val", "test")),
            ),
            "class": EACH_CLASS_OPTION,
            "true": Option(
                None, "name or number of the true class", read=partial(class_number, key="true")
            ),
            "predicted": Option(
                None,
                "name or number of the predicted class",
                read=partial(class_number, key="predicted"),
            ),
            "most": whole_option(25, 200, "largest number of examples"),
        },
    ),
    "weights": What(
        "the distribution of the weights of each layer; the weights of a linear model by name",
        {"near": positive_option(0.001, 1000.0, "a weight below it is near zero")},
    ),
    "augmentations": What(
        "the augmentations of the run on its training images",
        {"examples": examples_option(6, 30), "draws": whole_option(8, 30, "number of draws")},
    ),
    "surface": What(
        "the loss along random directions, along the path of training, or between two runs",
        {
            "directions": Option(
                "random", "random, path or both", OneOf(("random", "path", "both"))
            ),
            "with": Option("", "folder of another run with this model: the loss between the two"),
            "part": PART_OPTION,
            "examples": examples_option(500, 1_000_000),
            "points": whole_option(15, 201, "points of each side of the grid", least=3),
            "hessian": Option(False, "compute the Hessian's largest eigenvalue", Flag()),
            "radius": positive_option(1.0, 100.0, "of random directions, in lengths of filters"),
            "seed": SEED_OPTION,
        },
    ),
}
"""Each ``what``, in the order of the help."""


def chosen_whats(text: str) -> list[str]:
    """Return the names in ``filters,maps`` or ``[filters,maps]``; all of them for ``all``.

    Raises UserError for an unknown name, with a list of all.
    """
    names = [name.strip() for name in text.strip().strip("[]").split(",") if name.strip()]
    if names == [ALL]:
        return list(WHATS)
    for name in names or [""]:
        if name not in WHATS:
            lines = {known: what.line for known, what in WHATS.items()}
            raise UserError(
                f"{not_there(f'what={name}', name, lines, 'what')}\n"
                f"Type what={(meant(name, WHATS) or list(WHATS))[0]}"
            )
    return list(dict.fromkeys(names))


def whats_listed() -> str:
    """Return the lines that list every ``what``."""
    return listed_lines({name: what.line for name, what in WHATS.items()}, "what")
