"""The lectures in the docs: their pages, their images, and the list of all."""

import shutil
from pathlib import Path
from typing import Any

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.lecture.number_text import significant
from dlcourse.lecture.page import page_markdown
from dlcourse.lecture.record import RECORD, claims_in
from dlcourse.lecture.syllabus import SYLLABUS
from dlcourse.lecture.topic import Topic, read_topic
from dlcourse.schema.untrusted import load_json
from dlcourse.terminal.live_line import duration

DOCS = Path(__file__).parents[3] / "docs"
PAGES = DOCS / "lectures"
IMAGES = DOCS / "images/lectures"
IMAGE_ADDRESS = "../images/lectures/"
INTRODUCTION = """\
# Lectures

Each idea of the course is an experiment: one command runs it in seconds to minutes, draws its
images and compares what it claims with what it measured. `dlcourse lecture` lists all,
`dlcourse lecture perceptron` runs one, `make lectures` runs all. The numbers and images on these
pages come from such runs. Most lectures use data that come with dlcourse; those that use MNIST or
Fashion-MNIST download it first, once.
"""


def require_docs() -> None:
    """Raise UserError if the package is not in a clone, which alone has the docs."""
    if not DOCS.is_dir():
        raise UserError(
            "--page writes the docs of a clone of dlcourse, and this is an installed package.\n"
            "Leave out --page: the page is written to outputs/lecture"
        )


def store(topic: Topic, folder: Path) -> None:
    """Copy what a lecture has measured from the folder of its run to the docs."""
    PAGES.mkdir(parents=True, exist_ok=True)
    IMAGES.mkdir(parents=True, exist_ok=True)
    record = load_json(folder / RECORD)
    for old in IMAGES.glob(f"{topic.name}-*.png"):
        old.unlink()
    for name in record["images"]:
        shutil.copyfile(folder / "images" / f"{name}.png", IMAGES / f"{topic.name}-{name}.png")
    atomic_files.write_json(PAGES / f"{topic.name}.json", record, indent=1)


def stored_record(topic: Topic) -> dict[str, Any]:
    """Return what a lecture had measured when its page was written last."""
    path = PAGES / f"{topic.name}.json"
    if not path.exists():
        raise UserError(
            f"{path} is not there, so the lecture has no stored numbers.\n"
            f"Type dlcourse lecture {topic.name} --page"
        )
    return load_json(path)


def site_page(topic: Topic) -> str:
    """Return a lecture's page in the docs, from its stored numbers."""
    return page_markdown(topic, stored_record(topic), f"{IMAGE_ADDRESS}{topic.name}-")


def write_from_stored(topic: Topic) -> Path:
    """Write a lecture's page in the docs from its stored numbers; return it."""
    path = PAGES / f"{topic.name}.md"
    atomic_files.write_text(path, site_page(topic))
    return path


def index_page() -> str:
    """Return the page that lists all lectures with their claims and measured numbers."""
    lines, total = [INTRODUCTION], 0.0
    for part, names in SYLLABUS.items():
        lines += [f"## {part}", "", "| lecture | time | claim | measured | true if |"]
        lines.append("|---|---|---|---|---|")
        for topic in map(read_topic, names):
            record = stored_record(topic)
            total += record["seconds"]
            first = f"[{topic.title}]({topic.name}.md) `{topic.name}`"
            time = duration(max(record["seconds"], 1))
            for claim in claims_in(record):
                fails = "" if claim.holds else " (**not shown**)"
                cells = [
                    first,
                    time,
                    claim.text,
                    f"{significant(claim.value)}{fails}",
                    claim.bounds,
                ]
                lines.append(f"| {' | '.join(cells)} |")
                first = time = ""
        lines.append("")
    lines.append(f"All lectures together take {duration(total)} on 2 CPU cores.\n")
    for part, names in SYLLABUS.items():
        lines += ["```{toctree}", f":caption: {part}", ":hidden:", "", *names, "```", ""]
    return "\n".join(lines)


def write_index() -> Path:
    """Write the page that lists all lectures; return it."""
    path = PAGES / "index.md"
    atomic_files.write_text(path, index_page())
    return path
