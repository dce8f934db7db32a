"""Rules about the inputs: what models, augmentations and files need."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from dlcourse.schema.facts import MOST_WHITENED, SMALL_IMAGE, fact, smallest_image, target


def model_fits_the_inputs(config: dict) -> Iterator[str]:
    """Convolutions need images, and images large enough for them."""
    smallest = smallest_image(config)
    size = config["data"].get("size")
    name = target(config, "model").split(".")[-1]
    if smallest is not None and is_table(config):
        yield (
            f"{name} needs images, and this data set is a table of numbers.\n"
            "Type model=mlp, or choose a data set of images"
        )
    elif smallest is not None and size is not None and size < smallest:
        yield (
            f"{name} needs images of {smallest} x {smallest} or more, got data.size={size}.\n"
            f"Type data.size={smallest}, or choose another model"
        )


def is_table(config: dict) -> bool:
    """Return whether the data are known to be a table of numbers."""
    return fact(config["data"], "inputs") == "table"


def for_images(choices: dict) -> list[str]:
    """Return the names of the choices that are for images only."""
    return [name for name, choice in choices.items() if fact(choice, "inputs") == "images"]


def patches_fill_the_image(config: dict) -> Iterator[str]:
    """A vision transformer cuts its images into whole patches."""
    size, model = config["data"].get("size"), config["model"]
    if target(config, "model") != "dlcourse.model.vit.ViT" or size is None:
        return
    patch = model["patch"] or (4 if size < SMALL_IMAGE else 16)
    if size % patch:
        yield (
            f"model.patch={patch} does not divide images of data.size={size}.\n"
            f"Type data.size={size // patch * patch + patch}, or a model.patch that divides it"
        )


def whitening_is_small_enough(config: dict) -> Iterator[str]:
    """ZCA needs the covariance matrix of all inputs in memory, and its eigenvectors."""
    data = config["data"]
    if data["standardize"] == "zca" and "size" in data and "channels" in data:
        count = data["channels"] * data["size"] ** 2
        if count > MOST_WHITENED:
            largest = math.isqrt(MOST_WHITENED // data["channels"])
            yield (
                f"data.standardize=zca decorrelates at most {MOST_WHITENED:,} inputs, and images "
                f"of data.size={data['size']} have {count:,}.\n"
                f"Type data.size={largest} or less, or data.standardize=pixel"
            )


def tables_have_their_own_statistics(config: dict) -> Iterator[str]:
    """Missing cells are filled by each fold; columns have no published statistics."""
    data = config["data"]
    if data["standardize"] == "imagenet" and is_table(config):
        yield (
            "data.standardize=imagenet has the statistics of images in colour, and this data set "
            "is a table.\nType data.standardize=channel"
        )
    missing = data.get("missing")
    if missing not in ("mean", "median", "most_frequent") or not is_table(config):
        return
    for key, value in (("standardize", "zca"), ("reconstruct", True)):
        if data[key] == value:
            yield (
                f"data.{key}={str(value).lower()} needs tables without missing cells, and "
                f"data.missing={missing} fills them later, in each fold.\n"
                f"Type data.missing=drop, or another data.{key}"
            )


def published_weights_stay(config: dict) -> Iterator[str]:
    """An initializer would overwrite published weights, and a model has one source of them."""
    model = config["model"]
    given = fact(model, "published_weights") and (model.get("weights") or model.get("pretrained"))
    default = target(config, "init") == "dlcourse.init.default.default"
    if given and not default:
        name = target(config, "init").split(".")[-1]
        key = "weights" if model.get("weights") else "pretrained"
        shown, none = (given, "null") if key == "weights" else ("true", "false")
        yield (
            f"init={name} would overwrite the weights of model.{key}={shown}.\n"
            f"Type init=default, or model.{key}={none}"
        )
    if model.get("weights") and model.get("pretrained") is True:
        yield (
            f"model.pretrained=true and model.weights={given} are two sources of weights.\n"
            "Type model.pretrained=false, or model.weights=null"
        )


def augmentation_fits_the_inputs(config: dict) -> Iterator[str]:
    """Only images can be mirrored and shifted."""
    wrong = for_images(config["augment"])
    if wrong and is_table(config):
        yield (
            f"augment={wrong[0]} is for images, and this data set is a table of numbers.\n"
            "Type 'augment=[noise]', 'augment=[mixup]' or 'augment=[]'"
        )


def augmentation_options_fit(config: dict) -> Iterator[str]:
    """A square of Cutout must fit into the image; RandAugment's strength must be a level it has."""
    size = config["data"].get("size")
    length = config["augment"].get("cutout", {}).get("length")
    if size is not None and length is not None and length > size:
        yield (
            f"augment.cutout.length={length} covers more than an image of data.size={size}.\n"
            f"Type augment.cutout.length={max(size // 2, 1)}"
        )
    options = config["augment"].get("rand_augment", {})
    bins = options.get("num_magnitude_bins")
    if bins is not None and options["magnitude"] >= bins:
        yield (
            f"augment.rand_augment.magnitude={options['magnitude']} is not one of "
            f"{bins} levels, which are counted from 0.\n"
            f"Type augment.rand_augment.magnitude={bins - 1} or less"
        )


def mirrors_are_large_enough(config: dict) -> Iterator[str]:
    """An image can be mirrored at its border once, so the padding is smaller than the image."""
    size, crop = config["data"].get("size"), config["augment"].get("crop", {})
    wanted = {"augment.crop.padding": crop["padding"]} if crop.get("mode") == "reflect" else {}
    if "shift" in config["view"]:
        wanted["view.shift.pixels"] = config["view"]["shift"].get("pixels", 0)
    for key, pixels in wanted.items():
        if size is not None and pixels >= size:
            yield (
                f"{key}={pixels} is more than an image of data.size={size} can mirror.\n"
                f"Type {key}={size - 1} or less"
            )


def views_are_of_images(config: dict) -> Iterator[str]:
    """A row of a table has no mirror image; an image to be reconstructed must stay unchanged."""
    own = for_images(config["view"])
    if own and is_table(config):
        yield (
            f"view={own[0]} is for images, and this data set is a table of numbers.\nType 'view=[]'"
        )
    elif own and config["data"]["reconstruct"]:
        yield (
            f"view={own[0]} changes the image that is to be reconstructed with "
            "data.reconstruct=true.\nType 'view=[]'"
        )


def targets_that_are_images_stay(config: dict) -> Iterator[str]:
    """The targets of a moved image would not move with it."""
    moved = for_images(config["augment"])
    if config["data"]["reconstruct"] and moved:
        yield (
            f"augment={moved[0]} changes the inputs, and with data.reconstruct=true the targets "
            "stay unchanged.\nType 'augment=[noise]', which an autoencoder learns to remove"
        )


def norm_fits_the_model(config: dict) -> Iterator[str]:
    """A norm needs several values to average over."""
    norm = config["model"].get("norm")
    if norm == "instance" and target(config, "model") == "dlcourse.model.mlp.MLP":
        yield (
            "model.norm=instance averages over an image's pixels, and an MLP's units have none.\n"
            "Type model.norm=layer"
        )
    single = [width for width in mlp_widths(config) if one_value_to_average(norm, width)]
    if single:
        yield (
            f"model.norm={norm} would average over single values, and so turn all of them to 0, in "
            f"a layer of {single[0]} unit{'s' if single[0] > 1 else ''}.\n"
            "Type other model.widths, for example 'model.widths=[16]', or model.norm=none"
        )
    if norm == "batch" and config["batch_size"] == 1:
        yield (
            "model.norm=batch averages over a batch, and batch_size=1 leaves nothing to average.\n"
            "Type batch_size=2 or more, or model.norm=layer"
        )


def mlp_widths(config: dict) -> list[int]:
    """Return the number of values that each norm of an MLP averages over."""
    model = config["model"]
    if target(config, "model") != "dlcourse.model.mlp.MLP":
        return []
    name, _, number = str(model["activation"]).partition(":")
    return [width * (int(number or 2) if name == "maxout" else 1) for width in model["widths"]]


def one_value_to_average(norm: str, values: int) -> bool:
    """Return whether a norm averages over single values in a layer with this number of values."""
    return (norm == "layer" and values == 1) or (norm == "group" and values in (1, 2, 4, 8))


def maxout_has_its_pieces(config: dict) -> Iterator[str]:
    """Maxout needs a layer before it that makes several values for each unit."""
    activation = config["model"].get("activation")
    if not fact(config["model"], "maxout") and str(activation).split(":")[0] == "maxout":
        name = target(config, "model").split(".")[-1]
        yield (
            f"model.activation={activation} takes the largest of several values that the layer "
            f"before it makes for each unit, and {name} has activations without such a "
            "layer.\nType another model.activation, or model=mlp, model=convnet or model=vgg11"
        )


def image_folder_exists(config: dict) -> Iterator[str]:
    """A user's own image folder cannot be downloaded, so it must exist."""
    data = config["data"]
    if target(config, "data") == "dlcourse.data.image_folder.image_folder":
        folder = Path(data["root"]).expanduser() / data["folder"]
        if not os.path.isdir(folder):
            yield (
                f"The image folder {folder} does not exist or cannot be read.\n"
                "Type data.root=<folder>, a folder with one folder of images per class"
            )
        elif data["labels"] is not None and not os.path.isfile(folder / data["labels"]):
            yield (
                f"The labels {folder / data['labels']} do not exist or cannot be read.\n"
                f"Type data.labels=<a CSV file inside {folder}>, or data.labels=null for a folder "
                "per class"
            )


def a_function_is_named(config: dict) -> Iterator[str]:
    """A data set of the user's own function needs its name."""
    data = config["data"]
    if target(config, "data") == "dlcourse.data.function.function" and data["function"] is None:
        yield (
            "data=function needs the function that returns the data.\n"
            "Type data.function=my_module.load, the name of a function with its module"
        )


def a_range_goes_upwards(config: dict) -> Iterator[str]:
    """The lower end of a range of initial weights is below its upper end."""
    low, high = config["init"].get("low"), config["init"].get("high")
    if target(config, "init") == "dlcourse.init.uniform.uniform" and not low < high:
        bound = abs(high) or 0.05
        yield (
            f"init=uniform draws weights between init.low={low} and init.high={high}, of which the "
            f"first must be the smaller one.\nType init.low={-bound} init.high={bound}"
        )


RULES = (
    model_fits_the_inputs,
    patches_fill_the_image,
    whitening_is_small_enough,
    tables_have_their_own_statistics,
    published_weights_stay,
    augmentation_fits_the_inputs,
    augmentation_options_fit,
    mirrors_are_large_enough,
    views_are_of_images,
    targets_that_are_images_stay,
    norm_fits_the_model,
    maxout_has_its_pieces,
    image_folder_exists,
    a_function_is_named,
    a_range_goes_upwards,
)
