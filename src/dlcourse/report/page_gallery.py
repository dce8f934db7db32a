"""The images of a report in groups: those of sweeps, of the best run, and of other runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcourse.report import page_images
from dlcourse.report.output_files import PLOT_NAMES
from dlcourse.report.page_question import plural
from dlcourse.report.runs import StoredRun, files_named
from dlcourse.schema.run_files import MANIFEST
from dlcourse.terminal.installed import short_path

MAX_RUNS_WITH_IMAGES = 12


@dataclass(frozen=True)
class ImageGroup:
    """The images of a run or a sweep. main: whether they are shown at once or folded away."""

    name: str
    folder: Path
    images: list[page_images.PageImage]
    main: bool


def images_of(folders: Sequence[Path], ranked: Sequence[StoredRun]) -> tuple[list[ImageGroup], str]:
    """Return the images of sweeps, of the best run and, folded away, of others; and a note.

    ranked: the finished runs, the best one first.
    """
    room = page_images.Room()
    groups = []
    for path in files_named(list(folders), MANIFEST):
        wanted = [path.with_name(f"{name}.png") for name in PLOT_NAMES if name != "curves"]
        files = [file for file in wanted if file.is_file()]
        name = short_path(path.parent)
        groups.append(image_group(path.parent, files, room, main=True, name=name))
    once = {run.folder.resolve(): run for run in ranked}.values()
    with_images = [run for run in once if has_images(run)]
    shown = with_images[:MAX_RUNS_WITH_IMAGES]
    for number, run in enumerate(shown):
        files = page_images.image_files(run.folder, without=("curves",))
        groups.append(
            image_group(run.folder, files, room, main=number == 0, name=short_path(run.folder))
        )
        for fold in folds_of_result(run):
            files = page_images.image_files(fold)
            groups.append(image_group(fold, files, room, main=False, name=short_path(fold)))
    left = len(with_images) - len(shown)
    note = f"The images of {plural(left, 'more run')} are in their folders." if left else ""
    return [group for group in groups if group.images], note


def has_images(run: StoredRun) -> bool:
    """Return whether a run, or one of its folds, has images for the page."""
    places = (run.folder, *folds_of_result(run))
    return any(page_images.image_files(place, without=("curves",)) for place in places)


def folds_of_result(run: StoredRun) -> list[Path]:
    """Return the folders of a finished run's folds; none without a cross-validation."""
    names = [str(fold["name"]) for fold in (run.result or {}).get("folds", ())]
    return [run.folder / name for name in names if Path(name).name == name]


def image_group(
    folder: Path, files: Sequence[Path], room: page_images.Room, *, main: bool, name: str
) -> ImageGroup:
    """Return the images in some files. main: the images are large, and shown at once."""
    widest = page_images.MAIN_WIDTH if main else page_images.FOLDED_WIDTH
    images = [
        page_images.embedded(path, page_images.caption_of(path, folder), name, room, widest)
        for path in files
    ]
    return ImageGroup(name, folder, images, main)
