"""Measure dlcourse against other ways to do the same, on this machine.

    python benchmarks/benchmark.py [cases=overhead,speed] [models=lenet,mlp,...] [rounds=5]
        [repeats=1] [data.root=<folder of MNIST>] [cifar=<folder of images>] [device=auto]
        [threads=] [steps=] [without=Keras,...] [minutes=] [write=docs/benchmarks.md]
    python benchmarks/benchmark.py --gpu          the cases for CUDA, as far as 7 minutes reach

cases: start_up, overhead (our loop against one by hand), speed (images/s beside loops that people
write, Lightning and Keras), process (whole processes), scaling, profile (where the time goes),
memory. Models: lenet, mlp, resnet20, resnet18, vit; each case has its own if none are typed.

Contenders take turns, an epoch each, in a changing order; values are medians with quartiles, and
ratios are those of the rounds. repeats: times that everything is begun anew, in fresh processes.
steps: of an epoch. minutes: each case gets an equal share of those left and begins no model after
it; a model that has begun is measured to its end, which took cases=speed 160 s on an H100 with 16
cores, most of it for compiling. Where data.root or cifar is empty, images are made up, which
costs the same.
write: puts each case's part into a document, in place of the one that it had there.
Lightning and Keras come with pip install 'dlcourse[bench]'; who is missing is left out.
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
from dlcourse.schema.bounds import counted, positive
from dlcourse.terminal.command import one_message

DEFAULTS = {
    "cases": "overhead,speed", "models": "", "rounds": "5", "repeats": "1", "cifar": "",
    "data.root": os.environ.get("DLCOURSE_DATA", "data"), "device": "auto", "threads": "",
    "steps": "", "without": "", "minutes": "", "write": "",
}  # fmt: skip
GPU_DEFAULTS = {"cases": "", "rounds": "3", "device": "cuda", "minutes": "7"}
GPU_STEPS = "100"


def main() -> None:
    """Read the words, measure case by case, print and write what was found."""
    typed = sys.argv[1:]
    defaults = dict(DEFAULTS)
    if "--gpu" in typed:
        defaults |= GPU_DEFAULTS | {"steps": GPU_STEPS}
    words = arguments([word for word in typed if word != "--gpu"], defaults, __doc__)
    options = read(words)
    modules = {name: import_module(f"benchmarks.cases.{name}") for name in cases.NAMES}
    chosen = listed(words, "cases", cases.NAMES)
    if not chosen:
        chosen = [name for name, module in modules.items() if module.GPU]
    on_the_device(options)
    for number, name in enumerate(chosen):
        if options.late():
            say(f"The time was over before {name}.")
            break
        share = options.share(len(chosen) - number)
        title, parts = modules[name].TITLE, [provenance(name, typed)]
        print(f"\n## {title}", flush=True)
        for part in modules[name].measure(share):
            print(f"\n{part}", flush=True)
            parts.append(part)
        if words["write"]:
            write_part(Path(words["write"]), name, title, "\n\n".join(parts))


def read(words: dict) -> Options:
    """Return what the words mean; raises UserError."""
    whole = counted(1, 1000, 5)
    minutes = number_argument(words, "minutes", positive(8.0)) if words["minutes"] else float("inf")
    return Options(
        models=tuple(listed(words, "models", WORKLOADS)),
        rounds=whole_number_argument(words, "rounds", whole),
        repeats=whole_number_argument(words, "repeats", whole),
        root=words["data.root"],
        cifar=words["cifar"],
        device=one_of(words, "device", ("auto", "cpu", "cuda")),
        threads=whole_number_argument(words, "threads", counted(1, 4096, 2))
        if words["threads"]
        else 0,
        steps=whole_number_argument(words, "steps", counted(1, 100_000, 20))
        if words["steps"]
        else 0,
        without=tuple(filter(None, words["without"].split(","))),
        until=perf_counter() + 60 * minutes,
    )


def listed(words: dict, key: str, known) -> list[str]:
    """Return a word's parts, each one of those that are known; raises UserError."""
    names = [name for name in words[key].split(",") if name]
    for name in names:
        if name not in known:
            raise UserError(f"{key}={name} is not known; {nearest(name, known)}")
    return names


def one_of(words: dict, key: str, known) -> str:
    """Return a word that is one of those that are known; raises UserError."""
    if words[key] not in known:
        raise UserError(f"{key}={words[key]} is not known; {nearest(words[key], known)}")
    return words[key]


def on_the_device(options: Options) -> None:
    """Set this process's threads, and hide a GPU that is not to be used.

    Raises UserError where a GPU is asked for and there is none.
    """
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Keras and whole programs look for one themselves
    if options.device == "cuda" or options.threads:
        import torch

        if options.device == "cuda" and not torch.cuda.is_available():
            raise UserError("There is no GPU that PyTorch can use here.\nType device=cpu")
        if options.threads:
            torch.set_num_threads(options.threads)


def provenance(name: str, typed: list[str]) -> str:
    """Say what was typed, when, on what and with which versions."""
    others = [word for word in typed if not word.startswith(("write=", "cases="))]
    command = " ".join(["python benchmarks/benchmark.py", f"cases={name}", *others])
    return f"`{command}`, {date.today()}: {machine.hardware()}; {machine.versions()}."


if __name__ == "__main__":
    with one_message():
        main()
