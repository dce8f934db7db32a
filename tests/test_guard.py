"""A screen or plot that fails gives one warning and is skipped; the run continues."""

import pytest

from dlcourse.errors import UserError
from dlcourse.guard import Droppable, guarded


class Screen:
    def __init__(self):
        self.calls = []

    def starts(self, job):
        self.calls.append(job)
        if job == "bad":
            raise ValueError("no such column\nand more")


def warnings_of(caplog):
    return [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]


def test_a_screen_that_fails_is_not_called_again(caplog):
    screen = Screen()
    progress = Droppable("The screen", screen)
    for job in ("good", "bad", "good"):
        progress.starts(job)
    assert screen.calls == ["good", "bad"]
    assert warnings_of(caplog) == [
        "The screen failed, and is left out from now on: ValueError: no such column"
    ]


def test_a_guarded_error_becomes_a_warning_of_one_line(caplog):
    with guarded("The plot a.png"):
        raise ValueError("it broke\nand more")
    assert warnings_of(caplog) == ["The plot a.png failed: ValueError: it broke"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, UserError])
def test_exceptions_that_end_a_command_are_not_caught(error):
    with pytest.raises(error), guarded("The plot a.png", UserError):
        raise error
