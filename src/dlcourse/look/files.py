"""Write what was looked at into the run's folder, and show it in TensorBoard."""

import hashlib
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from dlcourse.drawing.files import save_figure, save_gif
from dlcourse.look.registry import WHATS
from dlcourse.look.subject import Drawing
from dlcourse.schema.run_files import LOOKS

LONGEST_NAME = 100


def write_drawing(
    folder: Path, what: str, drawing: Drawing, typed: Mapping[str, str], epoch: int
) -> list[Path]:
    """Write a drawing into ``<folder>/look/`` and into an event file; return the image files.

    typed: the options that were typed; those of this ``what`` are part of the file's name, so that
    only the same look replaces a file. epoch: that of the weights, the step in TensorBoard.
    """
    name = file_name(what, drawing.name, typed)
    place = folder / LOOKS / name
    if len(drawing.figures) > 1:
        files = [save_gif(drawing.figures, place.with_name(f"{name}.gif"))]
    else:
        formats = ("png", "svg") if drawing.line_art else ("png",)
        files = save_figure(drawing.figures[0], place, formats)
    show_in_tensorboard(folder, name, files[0].read_bytes(), epoch)
    return files


def file_name(what: str, own: str, typed: Mapping[str, str]) -> str:
    """Return the name of a drawing's file without its suffix, ``maps-features.0-images_3``.

    A long name is shortened; a digest then keeps it apart from others.
    """
    options = {key: value for key, value in typed.items() if key in WHATS[what].options}
    parts = [what, own, *(f"{k}_{v}" for k, v in sorted(options.items()) if v != own)]
    whole = "-".join(filter(None, parts))
    plain = re.sub(r"[^\w.,=-]+", "_", whole)
    if plain == whole and len(plain) <= LONGEST_NAME:
        return plain
    digest = hashlib.blake2b(whole.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"{plain[:LONGEST_NAME]}-{digest}"


def show_in_tensorboard(folder: Path, name: str, content: bytes, epoch: int) -> None:
    """Write an image as an event file into the run's folder; the same look replaces its own.

    Its step is an epoch of the run, and it starts no session, so that a run which is resumed later
    keeps it.
    """
    from PIL import Image
    from tensorboard.compat.proto.summary_pb2 import (
        Summary,  # pyright: ignore[reportAttributeAccessIssue]
    )
    from torch.utils.tensorboard import SummaryWriter

    suffix = f".look-{name}"
    earlier = [path for path in folder.glob("events.out.*") if path.name.endswith(suffix)]
    with Image.open(BytesIO(content)) as image:
        width, height = image.size
    shown = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=content)
    with SummaryWriter(str(folder), filename_suffix=suffix) as writer:
        assert writer.file_writer is not None
        value = Summary.Value(tag=f"look/{name}", image=shown)
        writer.file_writer.add_summary(Summary(value=[value]), epoch)
    for path in earlier:
        path.unlink()
