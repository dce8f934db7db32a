"""Run ``python -m dlcourse <command> ...``, ``dlcourse`` and ``dlcourse-train``."""

from dlcourse.terminal.stop_signals import end_on_signals


def main() -> None:
    """Run ``dlcourse <command> ...`` with the arguments in ``sys.argv``."""
    end_on_signals()
    from dlcourse.commands.main import main as run

    run()


def train_command() -> None:
    """Run ``dlcourse-train`` with the arguments in ``sys.argv``."""
    end_on_signals()
    from dlcourse.cli import main as run

    run()


if __name__ == "__main__":
    main()
