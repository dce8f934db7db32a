"""Initial weights from a file that any program has written."""

from collections.abc import Mapping, Sequence

from torch import nn

from dlcourse.init.whitening import REST
from dlcourse.weights.fit import load_file


def from_file(
    model: nn.Module,
    *,
    file: str,
    strict: bool,
    rename: Mapping[str, str] | None,
    exclude: Sequence[str],
    rest: str,
) -> None:
    """Copy the weights of a file into a model; the output layer may have other classes.

    file: ``.pth``, ``.pt``, ``.tar``, ``.bin``, ``.ckpt`` (of ``torch.save``) or ``.safetensors``;
        a checkpoint may hold the weights under a key such as ``state_dict``. Prefixes that
        DataParallel, torch.compile and Lightning add to all names are removed. Only tensors are
        read: a file with code in it is refused.
    strict: whether all names and shapes must fit; otherwise what fits is loaded.
    rename: patterns of names in the file with names of the model: ``{"encoder.*": "features.*"}``.
    exclude: patterns of names that are not loaded: ``["fc.*"]``.
    rest: the initializer of what is not loaded, ``default`` or ``dirac``.

    Raises UserError for a file that cannot be read or does not fit, with a list of the mismatches.

    Reference: Yosinski, Clune, Bengio, Lipson, "How transferable are features in deep neural
    networks?", NIPS 2014.
    """
    REST[rest](model)
    line = load_file(model, file, "init.file", strict=strict, rename=rename, exclude=exclude)
    vars(model)["origin"] = line  # for the heading of the run


from_file.reads_file = True
