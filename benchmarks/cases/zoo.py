"""Training throughput of every model of ``configs/model`` on images of 32 x 32 pixels.

Each model trains on the same random images with shifts and mirror images, captured as a CUDA graph
where there is a GPU. The number of floating point operations of a step (multiplications and
additions, forward and backward) is counted by PyTorch. It is compared with the peak of an H100 or
H200 in bf16 with dense matrices.

models: by default every model that can be trained step by step on these images.
"""

import gc
from collections.abc import Iterator
from statistics import median
from time import perf_counter

from benchmarks.markdown import say, table
from benchmarks.options import Options
from benchmarks.workloads import WITHOUT_VALIDATION, compose_overrides

TITLE = "Images a second of every model"
GPU = True
PEAK = 989e12  # operations per second
PRECISIONS = ("fp32", "bf16")
BATCHES = {"cuda": 512, "cpu": 64}
STEPS = {"cuda": 10, "cpu": 1}
SHAPE = (3, 32, 32)
COMMON = (
    "data=cifar10", "augment=[crop_flip]", "optim=momentum", "optim.lr=1e-4", "max_epochs=100",
    "runtime.channels_last=true", "runtime.linear=products", "runtime.compile=false",
    *WITHOUT_VALIDATION,
)  # fmt: skip


def measure(options: Options) -> Iterator[str]:
    """Yield the table of all models."""
    from dlcourse.timing.training import device_of

    device = device_of(options.device).type
    rows, out = [], []
    for name in options.chosen(*model_names()):
        if options.late():
            out.append(f"The time limit was reached before {name}.")
            break
        try:
            rows.append(row(name, device, options))
            say(f"zoo: {' '.join(rows[-1])}")
        except Exception as error:  # one model that fails is one line
            reason = str(error).strip().splitlines() or [type(error).__name__]
            out.append(f"{name} is left out: {reason[0][:160]}")
            say(f"zoo: {out[-1]}")
        release(device)
    columns = ["model", "parameters", "GFLOP an image", *(f"{p}, images/s" for p in PRECISIONS)]
    if device == "cuda":
        columns.append("bf16, share of 989 TFLOP/s")
    heading = f"Batches of {BATCHES[device]} images of 3 x 32 x 32"
    yield "\n\n".join([heading, table(columns, rows), *out])


def model_names() -> list[str]:
    """Return the names of all models that have a config; those that vary another one are last."""
    from dlcourse.schema.catalogue import CONFIGS

    names = sorted(path.stem for path in (CONFIGS / "model").glob("[!_]*.yaml"))
    return sorted(names, key=lambda name: name.startswith("plain"))


def row(name: str, device: str, options: Options) -> list[str]:
    """Measure one model in every precision; return its row of the table."""
    size, steps = BATCHES[device], min(options.steps or STEPS[device], STEPS[device])
    images = random_images(size * steps)
    speeds, made = [], None
    for precision in PRECISIONS:
        made = None  # its memory is free before the next model takes some
        release(device)
        made = training(name, device, size, precision, images)
        speeds.append(images_per_second(made, options))
    assert made is not None
    operations = operations_of(name, device)
    values = [f"{made.parameters:,}", f"{operations / 1e9:.2f}", *(f"{s:,.0f}" for s in speeds)]
    share = [f"{speeds[-1] * operations / PEAK:.1%}"] if device == "cuda" else []
    return [name, *values, *share]


def training(name: str, device: str, size: int, precision: str, images):
    """Return the training of a model, as a run makes it."""
    from dlcourse.timing.training import TimedTraining

    own = (f"model={name}", f"batch_size={size}", f"runtime.precision={precision}")
    config = compose_overrides([*COMMON, *own, f"runtime.device={device}"])
    return TimedTraining(config, images)


def images_per_second(made, options: Options) -> float:
    """Return the median speed of some epochs; the first is not counted."""
    from dlcourse.timing.worker import wait_for_device

    seconds = []
    for number in range(options.rounds + 1):
        wait_for_device()
        started = perf_counter()
        made.epoch(number)
        wait_for_device()
        seconds.append(perf_counter() - started)
    return len(made.fold.train) / median(seconds[1:])


def operations_of(name: str, device: str) -> float:
    """Return the floating point operations of a training step for each image."""
    from torch.utils.flop_counter import FlopCounterMode

    few = 2  # batch norm needs two
    made = training(name, device, few, "fp32", random_images(few))
    with FlopCounterMode(display=False) as counter:
        inputs = made.recipe.prepare(made.fold.standardize(made.fold.train.inputs))
        made.recipe.step(made.state, inputs, made.fold.train.targets, made.recipe)
    return counter.get_total_flops() / few


def random_images(count: int):
    """Return a data set of random images in ten classes."""
    import torch

    from dlcourse.core import Dataset, Split

    generator = torch.Generator().manual_seed(0)

    def random_split(count: int) -> Split:
        images = torch.randint(256, (count, *SHAPE), dtype=torch.uint8, generator=generator)
        return Split(images, torch.arange(count) % 10)

    return Dataset("random", random_split(count), random_split(10), tuple("0123456789"))


def release(device: str) -> None:
    """Free the memory of the last model."""
    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
