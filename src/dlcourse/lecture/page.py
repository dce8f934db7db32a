"""A lecture's page: its text with the measured numbers and images filled in."""

import re
from typing import Any

from dlcourse.lecture.number_text import FILTERS, significant
from dlcourse.lecture.record import claims_in
from dlcourse.lecture.topic import Topic
from dlcourse.terminal.live_line import duration


def page_markdown(topic: Topic, record: dict[str, Any], images: str) -> str:
    """Return the page as MyST Markdown.

    record: as ``record_of`` returns it. images: the start of an image's address; the image's name
    and ``.png`` are appended.

    In the template ``n`` holds the numbers, ``run()`` writes the commands, ``claims()`` the table
    of claims, and ``figure(name, caption)`` an image. A name that is not defined is an error.
    """
    from jinja2 import Environment, StrictUndefined

    engine = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    engine.filters.update(FILTERS)

    def figure(name: str, caption: str) -> str:
        if name not in record["images"]:
            raise KeyError(f"the lecture {topic.name} has no image {name}: {record['images']}")
        return f"![{caption}]({images}{name}.png)\n\n*{caption}*"

    text = engine.from_string(topic.text).render(
        n=record["numbers"],
        figure=figure,
        run=lambda: run_block(topic, record),
        claims=lambda: claims_table(record),
    )
    text = re.sub(r"(?<=\S\n)1\. ", r"1\. ", text)  # a sentence that ends in 1 is no list
    return f"# {topic.title}\n\n{text}"


def run_block(topic: Topic, record: dict[str, Any]) -> str:
    """Return the commands of a lecture, with time, date and machine."""
    time = duration(max(record["seconds"], 1))
    lines = [
        "```",
        f"dlcourse lecture {topic.name}",
        "```",
        "",
        f"It took {time} on {record['machine']} ({record['date']}) and "
        f"ran {'this command' if len(record['commands']) == 1 else 'these commands'}, which you "
        "can also type yourself:",
        "",
        "```",
        *record["commands"],
        "```",
    ]
    if topic.full:
        lines += ["", f"`dlcourse lecture {topic.name} size=full`: {topic.full}"]
    return "\n".join(lines)


def claims_table(record: dict[str, Any]) -> str:
    """Return the claims next to the measured values as a Markdown table."""
    rows = [
        f"| {claim.text} | {significant(claim.value)} | {claim.bounds} | "
        f"{'yes' if claim.holds else '**no**'} |"
        for claim in claims_in(record)
    ]
    return "\n".join(["| claim | measured | true if | shown |", "|---|---|---|---|", *rows])
