"""Export a finished run's model, to be used without dlcourse.

    dlcourse export <run> format=onnx [to=<folder>] [fold=<n>] [tolerance=1e-5] [verify=random]

The formats are onnx, torch_export, torchscript, and for the weights alone safetensors and
state_dict. The model takes raw inputs and returns probabilities or values: standardisation, views
and the softmax are inside, and so are the names of the classes. In cross-validation it is the
average of all folds, or one of them with fold=0. What was written is read back and compared with
the run's model on its test part, or with verify=random on random inputs, which needs no data; a
difference above tolerance= is refused. views=false leaves the run's views out, opset=18 sets the
version of ONNX's operators, and data.root= names another folder of the data. The folder also gets a
card, README.md, and its facts as model.json. dlcourse predict takes it in place of a run.
"""

from pathlib import Path

from dlcourse.export.formats import EXPORT_FORMATS
from dlcourse.export.request import EXPORT_DEFAULTS, read_export_request
from dlcourse.schema.arguments import arguments
from dlcourse.schema.typed_alone import with_run
from dlcourse.terminal.live_line import working


def main(args: list[str]) -> None:
    """Export the run, and print what was written and how it was verified."""
    lines = {name: one.line for name, one in EXPORT_FORMATS.items()}
    defaults = {"run": None, "format": None, "to": "", **EXPORT_DEFAULTS}
    typed = arguments(with_run(args, EXPORT_FORMATS), defaults, __doc__, {"format": lines})
    run, to, format = Path(typed.pop("run")), typed.pop("to"), typed.pop("format")
    request = read_export_request(run, format, to, typed)

    with working("importing PyTorch", plain=False):
        from dlcourse.export.write_export import export_run, summary

    print(summary(request, *export_run(request)))
