"""Rules about observers."""

import re
from collections.abc import Iterator

from dlcourse.schema.facts import name_of

PASSWORD = re.compile(r"://[^/@]*:[^/@]*@")


def addresses_hold_no_password(config: dict) -> Iterator[str]:
    """A config is stored in the run's folder and shown in reports, so it holds no secrets."""
    for name, choice in config["observe"].items():
        uri = choice.get("uri") if name_of(choice["_target_"]) == "mlflow" else None
        if uri is not None and PASSWORD.search(uri):
            yield (
                f"observe.{name}.uri holds a password, which would be stored with the run.\n"
                "Type the address into the environment variable MLFLOW_TRACKING_URI instead"
            )


RULES = (addresses_hold_no_password,)
