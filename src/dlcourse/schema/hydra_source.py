"""Hide the facts and bounds in dlcourse's own configs from Hydra; limit a user's own YAML."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from omegaconf import DictConfig

from dlcourse.errors import UserError
from dlcourse.schema.overrides import DECLARATIONS
from dlcourse.schema.packaged import CONFIGS
from dlcourse.schema.untrusted import read_text, refuse_large_yaml

files_read: dict[tuple[Path, int | None], Any] = {}
"""The files in ``configs/`` that this process has read, by path and time of their last change.

Hydra parses each file again in every composition, 2 ms each; a copy takes 0.4 ms.
"""


def install() -> None:
    """Make Hydra drop ``_facts_`` and ``_bounds_`` when it reads a file in ``configs/``.

    A file in any other folder is read only within the limits on YAML: Hydra expands references.

    So ``--cfg job``, stored configs and the arguments of a choice contain only keys that can be
    typed. A user's own YAML keeps its declarations: the stored config is the only place where they
    can be found when the run is resumed or evaluated.
    """
    Plugins.instance()  # registers the sources
    source: Any = SourcesRegistry.instance().resolve("file")
    hydras_own = source.load_config
    if getattr(hydras_own, "leaves_out", False):
        return

    def load_config(self: Any, config_path: str) -> Any:
        if Path(self.path) != CONFIGS:
            refuse_large_file(Path(self.path) / f"{config_path.removesuffix('.yaml')}.yaml")
            return hydras_own(self, config_path)
        file = CONFIGS / f"{config_path.removesuffix('.yaml')}.yaml"
        key = file, file.stat().st_mtime_ns if file.exists() else None
        if key not in files_read:
            result = hydras_own(self, config_path)
            leave_out(result.config)
            files_read[key] = result
        return deepcopy(files_read[key])

    load_config.leaves_out = True  # pyright: ignore[reportFunctionMemberAccess]
    source.load_config = load_config


def refuse_large_file(file: Path) -> None:
    """Raise UserError for a YAML file that exceeds a limit; Hydra reports any other mistake."""
    try:
        refuse_large_yaml(read_text(file))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read: {error}") from error
    except yaml.YAMLError:
        return


def leave_out(config: Any) -> None:
    """Remove ``_facts_`` and ``_bounds_`` from a config, at every depth."""
    if not isinstance(config, DictConfig):
        return
    for key, value in list(config.items_ex(resolve=False)):
        if key in DECLARATIONS:
            del config[key]
        else:
            leave_out(value)
