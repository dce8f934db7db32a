"""Rules about observers."""

import re
from collections.abc import Iterator

from dlcourse.schema.facts import name_of
from dlcourse.schema.overrides import FROM_ENVIRONMENT

PASSWORD = re.compile(r"://[^/@]*:[^/@]*@")


def addresses_hold_no_password(config: dict) -> Iterator[str]:
    """What is typed is visible to others while the command runs, so it holds no secrets."""
    for name, choice in config["observe"].items():
        uri = choice.get("uri") if name_of(choice["_target_"]) == "mlflow" else None
        from_environment = f"observe.{name}.uri" in config.get(FROM_ENVIRONMENT, {})
        if uri is not None and PASSWORD.search(uri) and not from_environment:
            yield (
                f"observe.{name}.uri holds a password, which every user of this machine can see in "
                "the command.\nType the address into the environment variable MLFLOW_TRACKING_URI "
                "instead, which is never stored with a run"
            )


RULES = (addresses_hold_no_password,)
