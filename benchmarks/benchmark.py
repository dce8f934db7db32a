"""Compare the speed and memory of dlcourse with other programs for the same task, on this machine.

    python benchmarks/benchmark.py [cases=overhead,speed] [models=lenet,mlp,...] [rounds=5]
        [repeats=1] [data.root=<folder of MNIST>] [cifar=<folder of images>] [device=auto]
        [threads=] [steps=] [without=Keras,...] [minutes=] [write=docs/benchmarks.md]
    python benchmarks/benchmark.py --gpu          the cases for CUDA, within about 7 minutes

cases: start_up, overhead (dlcourse's loop and the same loop in plain PyTorch), speed (images/s of
dlcourse, common loops, Lightning and Keras), zoo (images/s of every model), process (whole
processes), records (the recipes of the record tables), scaling, devices (one run on several),
profile (where the time goes), memory, images (reading JPEG files), together (several runs as one).
models: lenet, mlp, resnet20, resnet18, vit; by default each case has its own.

The programs take turns of one epoch, in a changing order. Values are medians with quartiles; ratios
are computed for each round.

repeats: how often everything is measured, each time in new processes.
steps: the number of steps of an epoch.
minutes: the time limit. Each case gets an equal share of the time left, and starts no model after
    it. A model that has started is measured to its end: this took cases=speed 160 s on an H100 with
    16 cores, most of it for compiling.
data.root, cifar: the images; if empty, random images are used, which take the same time.
write: a document in which the part of each case is replaced.
Lightning, Keras and timm: pip install 'dlcourse[bench]'; what is not installed is left out.
"""

import clone  # noqa: F401  (finds src/)

import os
import sys
from datetime import date
from importlib import import_module
from pathlib import Path
from time import perf_counter

from benchmarks import cases, machine
from benchmarks.document import write_part
from benchmarks.markdown import say
from benchmarks.options import Options
from benchmarks.workloads import WORKLOADS
from dlcourse.errors import UserError, nearest
from dlcourse.schema.arguments import arguments, number_argument, whole_number_argument
from dlcourse.schema.bounds import positive, whole_number
from dlcourse.terminal.command import one_message

DEFAULTS = {
    "cases": "overhead,speed", "models": "", "rounds": "5", "repeats": "1", "cifar": "",
    "data.root": os.environ.get("DLCOURSE_DATA", "data"), "device": "auto", "threads": "",
    "steps": "", "without": "", "minutes": "", "write": "",
}  # fmt: skip
GPU_DEFAULTS = {"cases": "", "rounds": "3", "device": "cuda", "minutes": "7"}
GPU_STEPS = "100"


def main() -> None:
    """Read the options, measure case by case, print and write the results."""
    typed = sys.argv[1:]
    defaults = dict(DEFAULTS)
    if "--gpu" in typed:
        defaults |= GPU_DEFAULTS | {"steps": GPU_STEPS}
    settings = arguments([text for text in typed if text != "--gpu"], defaults, __doc__)
    options = read(settings)
    modules = {name: import_module(f"benchmarks.cases.{name}") for name in cases.NAMES}
    chosen = listed(settings, "cases", cases.NAMES)
    if not chosen:
        chosen = [name for name, module in modules.items() if module.GPU]
    on_the_device(options)
    for number, name in enumerate(chosen):
        if options.late():
            say(f"The time limit was reached before {name}.")
            break
        share = options.share(len(chosen) - number)
        title, parts = modules[name].TITLE, [provenance(name, typed)]
        print(f"\n## {title}", flush=True)
        for part in modules[name].measure(share):
            print(f"\n{part}", flush=True)
            parts.append(part)
        if settings["write"]:
            write_part(Path(settings["write"]), name, title, "\n\n".join(parts))


def read(settings: dict) -> Options:
    """Convert and check the typed options; raises UserError."""
    whole = whole_number(1, 1000, 5)
    minutes = (
        number_argument(settings, "minutes", positive(8.0)) if settings["minutes"] else float("inf")
    )
    return Options(
        models=tuple(listed(settings, "models", WORKLOADS)),
        rounds=whole_number_argument(settings, "rounds", whole),
        repeats=whole_number_argument(settings, "repeats", whole),
        root=settings["data.root"],
        cifar=settings["cifar"],
        device=one_of(settings, "device", ("auto", "cpu", "cuda")),
        threads=whole_number_argument(settings, "threads", whole_number(1, 4096, 2))
        if settings["threads"]
        else 0,
        steps=whole_number_argument(settings, "steps", whole_number(1, 100_000, 20))
        if settings["steps"]
        else 0,
        without=tuple(filter(None, settings["without"].split(","))),
        until=perf_counter() + 60 * minutes,
    )


def listed(settings: dict, key: str, known) -> list[str]:
    """Return the values of an option with commas; raises UserError for an unknown one."""
    names = [name for name in settings[key].split(",") if name]
    for name in names:
        if name not in known:
            raise UserError(f"{key}={name} is not known; {nearest(name, known)}")
    return names


def one_of(settings: dict, key: str, known) -> str:
    """Return the value of an option; raises UserError for an unknown one."""
    if settings[key] not in known:
        raise UserError(f"{key}={settings[key]} is not known; {nearest(settings[key], known)}")
    return settings[key]


def on_the_device(options: Options) -> None:
    """Set the number of threads of this process, and hide the GPU for ``device=cpu``.

    Raises UserError for ``device=cuda`` without a GPU.
    """
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Keras and whole programs choose it themselves
    if options.device == "cuda" or options.threads:
        import torch

        if options.device == "cuda" and not torch.cuda.is_available():
            raise UserError("There is no GPU that PyTorch can use here.\nType device=cpu")
        if options.threads:
            torch.set_num_threads(options.threads)


def provenance(name: str, typed: list[str]) -> str:
    """Return a line on the command, the date, the machine and the versions of a measurement."""
    others = [text for text in typed if not text.startswith(("write=", "cases="))]
    command = " ".join(["python benchmarks/benchmark.py", f"cases={name}", *others])
    return f"`{command}`, {date.today()}: {machine.hardware()}; {machine.versions()}."


if __name__ == "__main__":
    with one_message():
        main()
