"""The projector tab of TensorBoard: the last hidden layer's features of test examples."""

from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse import atomic_files
from dlcourse.core import WHITE, FinalTest, Fold, Recipe, State, at_least_float32
from dlcourse.drawing.text import visible
from dlcourse.introspect.several_classes import HALF, class_list, predicted_classes
from dlcourse.introspect.undisturbed import undisturbed
from dlcourse.introspect.weighted_layers import weighted_layers

PROJECTOR, PROJECTOR_CONFIG = (
    "projector",
    "projector_config.pbtxt",
)  # the second is TensorBoard's name
WIDEST_EMBEDDING = 512  # units of a wider layer are left out at equal distances
EMBEDDING_BATCH = 250
THUMBNAIL_SIDE = 48  # pixels at most


def write_embedding(
    folder: Path, state: State, recipe: Recipe, fold: Fold, test: FinalTest, examples: int
) -> None:
    """Write the files that the projector tab reads: features, classes, and thumbnails of images.

    examples: the number of test examples at most, taken at equal distances.
    """
    split = test.dataset.test
    count = min(examples, len(split))
    chosen = torch.arange(count) * len(split) // count
    features, thumbnails = [], []
    with undisturbed(state.model, 0), torch.no_grad():
        state.model.eval()
        split_index = chosen.to(split.device)
        for inputs, _ in split.batches(split_index.split(EMBEDDING_BATCH)):
            inputs = inputs.to(fold.train.device)
            prepared = recipe.prepare(fold.standardize(inputs))
            with recipe.autocast():
                features.append(last_hidden(state.model, prepared).cpu())
            if inputs.dim() == 4:
                thumbnails.append(square_thumbnails(inputs.cpu()))
    place = folder / PROJECTOR
    place.mkdir(exist_ok=True)
    table = evenly_spaced(at_least_float32(torch.cat(features)), WIDEST_EMBEDDING)
    rows = ("\t".join(f"{value:.5g}" for value in row) for row in table.tolist())
    atomic_files.write_text(place / "features.tsv", "".join(f"{row}\n" for row in rows))
    atomic_files.write_text(place / "classes.tsv", metadata(test, chosen))
    config = {"tensor_name": "last hidden layer, test examples", "tensor_path": "features.tsv"}
    config |= {"metadata_path": "classes.tsv"}
    lines = [f"  {key}: {atomic_files.to_json(under(key, value))}" for key, value in config.items()]
    if thumbnails:
        images = torch.cat(thumbnails)
        atomic_files.write(place / "images.png", lambda file: file.write(sprite(images)))
        side = images.shape[-1]
        size = f"single_image_dim: {side} single_image_dim: {side}"
        lines.append(f'  sprite {{ image_path: "{PROJECTOR}/images.png" {size} }}')
    text = "\n".join(["embeddings {", *lines, "}", ""])
    atomic_files.write_text(folder / PROJECTOR_CONFIG, text)


def under(key: str, value: str) -> str:
    """Return a path below the run's folder; a value that is no path as it is."""
    return f"{PROJECTOR}/{value}" if key.endswith("path") else value


def last_hidden(model: nn.Module, inputs: Tensor) -> Tensor:
    """Return the input of the last layer with a weight matrix, (N, D), of a forward pass."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, arguments: tuple) -> None:
        if arguments and isinstance(arguments[0], Tensor):
            seen[:] = [arguments[0]]

    layers = [layer.module for layer in weighted_layers(model) if layer.matrix and layer.module]
    handles = [layer.register_forward_pre_hook(keep) for layer in layers]
    try:
        outputs = model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return (seen[0] if seen else outputs).flatten(1)


def evenly_spaced(table: Tensor, most: int) -> Tensor:
    """Return a table (N, D) with at most ``most`` columns, at equal distances."""
    if table.shape[1] <= most:
        return table
    return table[:, torch.arange(most) * table.shape[1] // most]


def metadata(test: FinalTest, chosen: Tensor) -> str:
    """Return a line for each chosen example: true and predicted class, and whether it is right.

    For values: the target, the output and the error.
    """
    names = [visible(name) for name in test.dataset.classes]
    outputs, targets = test.outputs[chosen], test.targets[chosen]
    if not names:
        lines = ["target\toutput\terror"]
        first = (outputs.flatten(1)[:, 0].tolist(), targets.flatten(1)[:, 0].tolist())
        lines += [f"{t:.5g}\t{o:.5g}\t{o - t:.5g}" for o, t in zip(*first, strict=True)]
    elif test.dataset.task == "multilabel":
        own, predicted = targets > HALF, predicted_classes(outputs, HALF)
        lines = ["classes\tpredicted\tcorrect"]
        lines += [
            "\t".join((class_list(o, names), class_list(p, names), "yes" if o.equal(p) else "no"))
            for o, p in zip(own, predicted, strict=True)
        ]
    else:
        classes = targets if targets.dim() == 1 else targets.argmax(1)
        predicted = outputs.argmax(1).tolist()
        lines = ["class\tpredicted\tcorrect"]
        lines += [
            f"{names[t]}\t{names[p]}\t{'yes' if t == p else 'no'}"
            for t, p in zip(classes.tolist(), predicted, strict=True)
        ]
    return "".join(f"{line}\n" for line in lines)


def square_thumbnails(images: Tensor) -> Tensor:
    """Return images (N, C, H, W) as padded squares of up to 48 pixels, (N, 3, S, S) uint8."""
    height, width = images.shape[-2:]
    side = max(height, width)
    images = F.pad(
        images[:, :3].float(),
        [
            (side - width) // 2,
            -((width - side) // 2),
            (side - height) // 2,
            -((height - side) // 2),
        ],
    )
    if side > THUMBNAIL_SIDE:
        images = F.interpolate(images, size=THUMBNAIL_SIDE, mode="area")
    images = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
    return images.clamp(0, WHITE).round().to(torch.uint8)


def sprite(images: Tensor) -> bytes:
    """Return squares (N, 3, S, S) in rows of one PNG file, as the projector reads them."""
    from PIL import Image

    columns = max(1, int(torch.tensor(float(len(images))).sqrt().ceil()))
    empty = images.new_zeros(columns * columns - len(images), *images.shape[1:])
    side = images.shape[-1]
    grid = torch.cat([images, empty]).view(columns, columns, 3, side, side)
    whole = grid.permute(0, 3, 1, 4, 2).reshape(columns * side, columns * side, 3)
    stream = BytesIO()
    Image.fromarray(whole.numpy()).save(stream, format="png")
    return stream.getvalue()
