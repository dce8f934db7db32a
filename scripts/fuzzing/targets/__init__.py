"""All fuzz targets by name."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fuzzing.drive import Prepared
from fuzzing.targets import configs, data_files, images, run_files, tables, weights


class Target(NamedTuple):
    """A reader and what it is given. prepare: (an empty folder) -> what can be run."""

    about: str
    prepare: Callable[[Path], Prepared]


TARGETS = {
    "checkpoint": Target("last.pt and best.pt with changed bytes", weights.checkpoint_bytes),
    "content": Target("last.pt and best.pt that are whole but odd", weights.checkpoint_content),
    "weights": Target("init=from_file: .pth and .safetensors", weights.weight_files),
    "cache": Target("a cache of decoded data", data_files.cache),
    "idx": Target("MNIST's format", data_files.idx),
    "cifar": Target("a batch of CIFAR, a pickle", data_files.cifar),
    "npz": Target("data=npz: .npz and .npy files", tables.npz_files),
    "csv": Target("data=csv: tables of text", tables.csv_files),
    "parquet": Target("data=parquet", tables.parquet_files),
    "images": Target("image files of all formats, both decoders", images.image_files),
    "overrides": Target("what is typed on the command line", configs.overrides),
    "config": Target(".hydra/config.yaml of a run that is resumed", configs.stored_config),
    "stored": Target(".hydra/overrides.yaml and hydra.yaml", configs.stored_overrides),
    "result": Target("result.json", run_files.result),
    "notes": Target("failure.json, runtime.json, together.json ...", run_files.notes),
    "manifest": Target("sweep.json", run_files.manifest),
    "history": Target("history.jsonl, diagnostics.jsonl", run_files.history),
    "arrays": Target("data.npz, predictions.npz, out_of_fold.npz", run_files.arrays),
    "encoding": Target("table.json", run_files.encoding),
    "export": Target("model.json of an exported model", run_files.export),
}  # fmt: skip
"""The targets, in the order in which ``target=all`` runs them."""
