"""Hydra reads dlcourse's own configs without what only checks read."""

from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.plugins.config_source import ConfigResult
from omegaconf import Container, DictConfig

from dlcourse.schema.overrides import DECLARATIONS
from dlcourse.schema.packaged import CONFIGS

HYDRAS_OWN = FileConfigSource.load_config


def load_config(self: FileConfigSource, config_path: str) -> ConfigResult:
    """Read a YAML file as Hydra does; of dlcourse's own choices leave out facts and bounds.

    So ``--cfg job``, a stored config and the code of a choice have only what can be typed. A user's
    own YAML keeps its declarations: the stored config is the only place where they can be found
    when the run is resumed or evaluated.
    """
    result = HYDRAS_OWN(self, config_path)
    if Path(self.path) == CONFIGS:
        leave_out(result.config)
    return result


def leave_out(config: Container) -> None:
    """Take what is declared out of a config, at every depth."""
    if not isinstance(config, DictConfig):
        return
    for key, value in list(config.items_ex(resolve=False)):
        if key in DECLARATIONS:
            del config[key]
        else:
            leave_out(value)


def install() -> None:
    """Let Hydra read configs in this way in this process."""
    FileConfigSource.load_config = load_config
