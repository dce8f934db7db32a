"""Train: ``python train.py model=lenet optim=adam``; ``--help`` lists the choices."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))  # it need not be installed

from dlcourse.terminal.stop_signals import end_on_signals

if __name__ == "__main__":
    end_on_signals()  # imports take a second; nothing needs to be saved yet

from dlcourse.terminal.installed import require_installed

require_installed()

from dlcourse.cli import main

if __name__ == "__main__":
    main()
