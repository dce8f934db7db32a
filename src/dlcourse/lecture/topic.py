"""A lecture's title, time and text, read from its page."""

from dataclasses import dataclass
from importlib.resources import files

import yaml

from dlcourse.errors import UserError, nearest
from dlcourse.lecture.syllabus import TOPICS
from dlcourse.terminal.command import own_name


@dataclass(frozen=True)
class Topic:
    """A lecture as its page describes it; nothing of it has run.

    title: the heading. seconds: that it takes on 2 CPU cores. look_for: what its image shows, in
    one sentence. full: what the full form trains and how long it takes; empty if there is none.
    text: the template of the page.
    """

    name: str
    title: str
    seconds: int
    look_for: str
    text: str
    full: str = ""


def read_topic(name: str) -> Topic:
    """Read a lecture's page; raises UserError for an unknown name."""
    if name not in TOPICS:
        raise UserError(
            f"There is no lecture {name}; {nearest(name, TOPICS)}.\n"
            f"Type {own_name('lecture')} for the list of all"
        )
    content = (files("dlcourse.lecture") / "pages" / f"{name}.md").read_text(encoding="utf-8")
    _, head, text = content.split("---\n", 2)
    return Topic(name=name, text=text.lstrip(), **yaml.safe_load(head))
