"""Run ``dlcourse share`` from a clone that need not be installed."""

import clone  # noqa: F401  (finds src/)

from dlcourse.commands.main import run_command

if __name__ == "__main__":
    run_command("share")
