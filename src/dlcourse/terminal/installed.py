"""Check that this Python has all dependencies; the first module that a clone's commands import.

It imports only the standard library, and its syntax is valid in old versions of Python.
"""

import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
CLONE = SOURCE.parent
OLDEST = (3, 11)
NEEDED = {
    "torch": "torch", "torchvision": "torchvision", "hydra": "hydra-core", "omegaconf": "omegaconf",
    "tensorboard": "tensorboard", "numpy": "numpy", "sklearn": "scikit-learn", "scipy": "scipy",
    "matplotlib": "matplotlib", "PIL": "pillow", "jinja2": "jinja2",
    "markdown_it": "markdown-it-py", "mdit_py_plugins": "mdit-py-plugins",
    "latex2mathml": "latex2mathml",
    "rich": "rich", "filelock": "filelock",
}  # fmt: skip
"""The dependencies in pyproject.toml: name of the module, name for pip."""


def require_installed() -> None:
    """End the command with one message and status 2 if this Python lacks a dependency.

    PYTHONPATH is set so that child processes import the same package.
    """
    own = [str(SOURCE), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(own))
    if sys.version_info < OLDEST:
        problem = "dlcourse needs Python {}.{} or newer".format(*OLDEST)
    else:
        missing = [name for module, name in NEEDED.items() if find_spec(module) is None]
        if not missing:
            return
        problem = "This Python lacks " + ", ".join(missing)
    version = ".".join(map(str, sys.version_info[:3]))
    print(
        f"dlcourse: {problem} ({sys.executable}, {version}).\n{install_remedy()}", file=sys.stderr
    )
    sys.exit(2)


def install_remedy() -> str:
    """Return what to type: how to use the environment in .venv, or two ways to install."""
    folder, activate = ("Scripts", "") if os.name == "nt" else ("bin", "source ")
    environment = CLONE / ".venv" / folder
    python = next(environment.glob("python*"), None)
    if python is not None and Path(sys.prefix).resolve() != (CLONE / ".venv").resolve():
        command = [short_path(environment / "python"), *sys.argv]
        return (
            "  There is an environment in .venv. Activate it and type the command again:\n"
            f"    {activate}{short_path(environment / 'activate')}\n"
            f"  or type\n    {' '.join(map(shlex.quote, command))}"
        )
    where = "" if Path.cwd() == CLONE else f", in {CLONE}"
    return (
        f"  Two ways to install what dlcourse needs{where}:\n"
        "    make train              makes an environment in .venv, installs into it, and trains\n"
        "    pip install -e .        installs into the Python whose pip it is"
    )


def short_path(path: Path) -> str:
    """Return a path, relative to the current folder if it is inside it."""
    inside = Path.cwd() in path.absolute().parents
    return os.path.relpath(path) if inside else str(path)
