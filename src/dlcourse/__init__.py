"""Deep-learning experiments from the command line and from Python.

```python
import dlcourse

run = dlcourse.train("model=lenet", "optim=adam", max_epochs=5)
run.result["test"]["accuracy"], run.history[-1]["val/loss"]
probabilities = run.predict(images)  # raw images (N, C, H, W), uint8, in; (N, classes) out
```

``import dlcourse`` takes milliseconds: PyTorch is imported after the first run's config is checked.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from inspect import Signature, signature
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dlcourse.errors import DivergedError, FileError, OutOfMemoryError, OwnCodeError, UserError

__version__ = "0.1.0"

__all__ = [
    "Classifier",
    "DivergedError",
    "ExportedModel",
    "FileError",
    "OutOfMemoryError",
    "OwnCodeError",
    "Regressor",
    "Run",
    "Sweep",
    "UserError",
    "choices",
    "compose",
    "load",
    "sweep",
    "train",
]

if TYPE_CHECKING:
    from dlcourse.api.classifier import Classifier as Classifier
    from dlcourse.api.configs import choices as choices
    from dlcourse.api.configs import compose as compose
    from dlcourse.api.exported import ExportedModel as ExportedModel
    from dlcourse.api.load import load as load
    from dlcourse.api.regressor import Regressor as Regressor
    from dlcourse.api.run import Run as Run
    from dlcourse.api.sweep import Sweep as Sweep
    from dlcourse.api.sweep import sweep as sweep
    from dlcourse.api.train import train as train
else:
    from dlcourse import sweep, train

MODULES = {
    "Classifier": "classifier",
    "ExportedModel": "exported",
    "Regressor": "regressor",
    "Run": "run",
    "Sweep": "sweep",
    "choices": "configs",
    "compose": "configs",
    "load": "load",
    "sweep": "sweep",
    "train": "train",
}
"""Where in ``dlcourse.api`` each name is defined."""


def _imported(name: str) -> Any:
    """Import a name of the API."""
    return getattr(import_module(f"{__name__}.api.{MODULES[name]}"), name)


class CallablePackage(ModuleType):
    """A package that can be called: it calls the function of the API with the same name.

    ``dlcourse.train(...)`` trains, and ``dlcourse.train.fit`` is still a module.
    """

    @property
    def _function(self) -> Callable[..., Any]:
        return _imported(self.__name__.rpartition(".")[2])

    @property
    def __doc__(self) -> str | None:
        return self._function.__doc__

    @property
    def __signature__(self) -> Signature:
        return signature(self._function)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._function(*arguments, **keywords)


for _name in ("train", "sweep"):
    sys.modules[f"{__name__}.{_name}"].__class__ = CallablePackage


def __getattr__(name: str) -> Any:
    """Import a name of the API when it is first used."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _imported(name)


def __dir__() -> list[str]:
    """Return the names that a user may type."""
    return sorted([*__all__, "__version__"])
