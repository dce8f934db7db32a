"""Hydra reads dlcourse's own configs without what only checks read."""

from pathlib import Path
from typing import Any

from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from omegaconf import DictConfig

from dlcourse.schema.overrides import DECLARATIONS
from dlcourse.schema.packaged import CONFIGS


def install() -> None:
    """Leave the facts and bounds of dlcourse's own choices out of what Hydra reads from files.

    So ``--cfg job``, a stored config and the code of a choice have only what can be typed. A user's
    own YAML keeps its declarations: the stored config is the only place where they can be found
    when the run is resumed or evaluated.
    """
    Plugins.instance()  # registers the sources
    source: Any = SourcesRegistry.instance().resolve("file")
    hydras_own = source.load_config
    if getattr(hydras_own, "leaves_out", False):
        return

    def load_config(self: Any, config_path: str) -> Any:
        result = hydras_own(self, config_path)
        if Path(self.path) == CONFIGS:
            leave_out(result.config)
        return result

    load_config.leaves_out = True  # pyright: ignore[reportFunctionMemberAccess]
    source.load_config = load_config


def leave_out(config: Any) -> None:
    """Take what is declared out of a config, at every depth."""
    if not isinstance(config, DictConfig):
        return
    for key, value in list(config.items_ex(resolve=False)):
        if key in DECLARATIONS:
            del config[key]
        else:
            leave_out(value)
