"""Made-up run folders with the files that runs and sweeps write."""

import json
from pathlib import Path
from typing import Any

import yaml

BASE = {
    "seed": 0,
    "batch_size": 64,
    "monitor": "val/accuracy",
    "mode": "max",
    "optim": {"lr": 0.001, "betas": [0.9, 0.999]},
    "split": {"fraction": 0.2, "fold": None},
}
CHOICES = {"data": "digits", "model": "mlp", "optim": "adam"}


def write_run(
    folder: Path, *overrides: str, ending: dict | None = None, name="result.json"
) -> Path:
    """Make a run's folder from overrides ``key=value`` with JSON values, and return it.

    ending: the content of the file ``name``, a result or a note; None for an unfinished run.
    """
    config, choices = json.loads(json.dumps(BASE)), dict(CHOICES)
    for override in overrides:
        key, _, text = override.partition("=")
        value = value_of(text)
        if key in CHOICES:
            choices[key] = text
            continue
        *path, last = key.split(".")
        place = config
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra/config.yaml").write_text(yaml.safe_dump(config))
    (folder / ".hydra/overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
    hydra = {"hydra": {"runtime": {"choices": choices}}}
    (folder / ".hydra/hydra.yaml").write_text(yaml.safe_dump(hydra))
    if ending is not None:
        if name == "result.json":
            aim = {"monitor": config["monitor"], "mode": config["mode"], "seed": config["seed"]}
            ending = aim | ending
        (folder / name).write_text(json.dumps(ending))
    return folder


def value_of(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def held_out(val: float, test: float | None = None, **others) -> dict:
    """Return the result of a hold-out with these values."""
    tests = {} if test is None else {"accuracy": test}
    return {
        "best": val,
        "best_epoch": 3,
        "epochs": 5,
        "val": {"accuracy": val},
        "test": tests,
        "examples": {"train": 80, "val": 20, "test": 50},
        "parameters": 1000,
        "seconds": 1.5,
        **others,
    }


def crossed(vals: list[float], tests: list[float], train=80, val=20, **others) -> dict:
    """Return the result of a cross-validation with a value for each fold."""
    folds = [
        held_out(one, other)
        | {"name": f"fold{i}", "examples": {"train": train, "val": val, "test": 50}}
        for i, (one, other) in enumerate(zip(vals, tests, strict=True))
    ]
    return {
        "best": sum(vals) / len(vals),
        "folds": folds,
        "mean": {},
        "std": {},
        "parameters": 1000,
        "seconds": 1.5 * len(vals),
        **others,
    }


def write_sweep(folder: Path, keys: list[str], points: list[dict], **others) -> Path:
    """Make a sweep's folder; each point: values and the names of its jobs."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "words": [],
        "method": "grid",
        "keys": keys,
        "monitor": "val/accuracy",
        "mode": "max",
        "points": [
            {"words": [f"{k}={v}" for k, v in point["values"].items()], **point} for point in points
        ],
        **others,
    }
    (folder / "sweep.json").write_text(json.dumps(content))
    return folder


def write_history(folder: Path, **metrics: list) -> None:
    """Write a history; ``val_loss=[...]`` has a value of ``val/loss`` for each epoch."""
    epochs = range(max(map(len, metrics.values())))
    rows = [
        {"epoch": epoch + 1}
        | {
            name.replace("_", "/", 1): values[epoch]
            for name, values in metrics.items()
            if epoch < len(values)
        }
        for epoch in epochs
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
