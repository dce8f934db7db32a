"""Never send a run to an address that only a stored config names: it may come from anybody."""

from typing import Any

LOCAL = {
    "dlcourse.observe.wandb.Wandb": ("mode", "offline"),
    "dlcourse.observe.mlflow.Mlflow": ("uri", None),
    "dlcourse.observe.aim.Aim": ("repo", None),
}
"""The option of a tracker that says where it writes, with its value on this machine."""
FILES = ("sqlite:", "file:")


def stay_local(config: dict[str, Any]) -> None:
    """Let the trackers of a stored config write on this machine; print a line for each change.

    Local folders and files are kept.
    """
    for name, node in config["observe"].items():
        option, local = LOCAL.get(str(node.get("_target_")), ("", None))
        value = str(node.get(option))
        sent = "://" in value and not value.startswith(FILES)
        if value == "online" or sent or "${" in value:
            node[option] = local
            key = f"observe.{name}.{option}"
            typed = f"'{key}={value}'" if "$" in value or "*" in value else f"{key}={value}"
            print(
                f"{key}={value} is not taken from a stored config, and {name} writes on this "
                f"machine. To send the run, type 'observe=[console,history,{name}]' {typed}",
                flush=True,
            )
