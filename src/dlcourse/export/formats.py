"""The formats of exported models, and the names of the files in an exported folder."""

from pathlib import Path
from typing import NamedTuple

FACTS_FILE, CARD_FILE = "model.json", "README.md"
FORMAT_VERSION = 1  # of model.json; it grows when a key changes its meaning


class Format(NamedTuple):
    """A format of exported models.

    line: what it is. file: the name of its file. needs: the optional packages that write and read
    it. program: whether the file holds the computation, or only the weights.
    """

    line: str
    file: str
    needs: tuple[str, ...]
    program: bool


EXPORT_FORMATS = {
    "onnx": Format(
        "ONNX, for ONNX Runtime and other programs in any language",
        "model.onnx",
        ("onnx", "onnxscript", "onnxruntime"),
        True,
    ),
    "torch_export": Format("a program of torch.export, for PyTorch", "model.pt2", (), True),
    "torchscript": Format(
        "TorchScript, for older PyTorch and C++; PyTorch has deprecated it", "model.pt", (), True
    ),
    "safetensors": Format(
        "the weights alone, with their names", "model.safetensors", ("safetensors",), False
    ),
    "state_dict": Format(
        "the weights alone, as torch.save writes them", "model_weights.pt", (), False
    ),
}


def is_export(folder: Path) -> bool:
    """Return whether a folder holds an exported model."""
    return (folder / FACTS_FILE).is_file()
