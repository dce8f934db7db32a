"""Run ``python -m dlcourse <command> ...``."""

from dlcourse.commands.main import main

if __name__ == "__main__":
    main()
