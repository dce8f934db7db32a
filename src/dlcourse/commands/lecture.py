"""Run an idea of the course as an experiment: its images, its numbers and its page.

    dlcourse lecture
    dlcourse lecture perceptron
    dlcourse lecture residual size=full
    dlcourse lecture all

Without a topic it lists all of them, with their times on 2 CPU cores.

{sizes}

Prints each command, and what the lecture claims next to what was measured; exit status 1 if a claim
does not hold. Writes the runs, the images, lecture.json and page.html into a new folder below
outputs/lecture/.

For the authors of the lectures, in a clone: --page also writes the page, its images and its numbers
to docs/lectures/; --page --stored writes it from the numbers of its last run, after the text was
changed; --page without a topic writes the list of all lectures.
"""

import sys
from collections.abc import Sequence
from textwrap import wrap

from dlcourse.errors import UserError, listed_lines
from dlcourse.lecture.bench import SIZES
from dlcourse.lecture.claim import Claim
from dlcourse.lecture.number_text import significant
from dlcourse.lecture.record import claims_in
from dlcourse.lecture.site import require_docs, store, write_from_stored, write_index
from dlcourse.lecture.syllabus import SYLLABUS, TOPICS
from dlcourse.lecture.topic import Topic, read_topic
from dlcourse.schema.arguments import arguments, choice_argument
from dlcourse.terminal.command import own_name
from dlcourse.terminal.fitted import terminal_width
from dlcourse.terminal.installed import short_path
from dlcourse.terminal.live_line import duration, working


def main(args: list[str]) -> None:
    """List the lectures, or run those that are named."""
    if {"-h", "--help"} & set(args):
        print(help_for(args).strip())
        return
    flags = {"--page", "--stored"} & set(args)
    rest = [arg for arg in args if arg not in flags]
    names = [arg for arg in rest if "=" not in arg and not arg.startswith("-")]
    options = [arg for arg in rest if arg not in names]
    typed = arguments(options, {"size": "default"}, __doc__, {"size": SIZES})
    size = choice_argument(typed, "size", list(SIZES))
    topics = [read_topic(name) for name in (TOPICS if names == ["all"] else names)]
    if flags == {"--stored"}:
        raise UserError(f"--stored belongs to --page.\nType {own_name('lecture')} --page --stored")
    if "--page" in flags and size != "default":
        raise UserError(f"--page shows the default size, not size={size}.\nLeave out size={size}")
    if "--page" in flags:
        require_docs()
    if not topics and not flags:
        print("\n".join(lecture_list(terminal_width())))
        return
    failed = 0 if "--stored" in flags else run_all(topics, size, page="--page" in flags)
    if "--page" in flags:
        written = [write_from_stored(topic) for topic in topics]
        written += [write_index()] if names in ([], ["all"]) else []
        print("\n".join(f"Written: {short_path(path)}" for path in written))
    if failed:
        sys.exit(1)


def run_all(topics: Sequence[Topic], size: str, *, page: bool) -> int:
    """Run lectures one after another, and print what they show; return the number of failures.

    A failure is a claim that does not hold, or one of several lectures that cannot be run.

    page: whether each one's numbers and images are copied to the docs.
    """
    with working("importing PyTorch", plain=False):
        from dlcourse.lecture.run_lecture import PAGE_FILE, one_fork_server, run_lecture

    failed = 0
    width = terminal_width()
    with one_fork_server():
        for topic in topics:
            print(f"{topic.title} (about {duration(topic.seconds)})")
            try:
                with working(topic.name, plain=False):
                    without = size == "full" and not topic.full and len(topics) > 1
                    form = "default" if without else size
                    folder, record = run_lecture(topic, form, show_command)
            except UserError as error:  # for example, data that are missing here
                if len(topics) == 1:
                    raise
                print("\n".join(wrap(f"Not run: {error}", width)) + "\n")
                failed += 1
                continue
            for line in wrap(f"Look for: {topic.look_for}", width):
                print(line)
            for claim in claims_in(record) if size != "smoke" else ():
                print("\n".join(claim_lines(claim, width)))
                failed += not claim.holds
            print(f"The page is {short_path(folder / PAGE_FILE)}")
            print(f"It took {duration(max(record['seconds'], 1))}\n")
            if page:
                store(topic, folder)
    if len(topics) > 1:
        print(f"{len(topics)} lectures, {failed} failures")
    return failed


def show_command(command: str) -> None:
    """Print a command that a lecture starts."""
    print(f"  $ {command}", flush=True)


def claim_lines(claim: Claim, width: int) -> list[str]:
    """Return a claim and what was measured, wrapped at the width of the terminal."""
    mark = "yes" if claim.holds else "NO "
    text = f"{claim.text}: {significant(claim.value)} ({claim.bounds})"
    return wrap(text, width, initial_indent=f"  {mark}  ", subsequent_indent=" " * 7)


def lecture_list(width: int) -> list[str]:
    """Return the lines of the list of all lectures."""
    lines, total = [], 0
    column = max(map(len, TOPICS))
    for part, names in SYLLABUS.items():
        lines += ["", part]
        for topic in map(read_topic, names):
            time = duration(topic.seconds)
            lines.append(f"  {topic.name:{column}}  {time:>6}  {topic.title}"[:width])
            total += topic.seconds
    return [
        *lines[1:],
        "",
        f"All of them take {duration(total)} on 2 CPU cores.",
        f"Type {own_name('lecture')} <topic> to run one",
    ]


def help_for(args: Sequence[str]) -> str:
    """Return the help of the command, with the sizes."""
    return (__doc__ or "").format(sizes=listed_lines(SIZES, "size"))
