"""CUDA graphs: all kernels of a step launched as one."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache

import torch
from torch import Tensor

from dlcourse.core import State

WARM_UP = 1  # eager steps before the capture: they choose kernels and create the optimizer's state
SECOND_TRY = 3  # eager steps before the second capture, if the first one failed

log = logging.getLogger(__name__)


def eager(function: Callable[..., None], state: State | None) -> Callable[..., None]:
    """Return the function itself, which runs without a CUDA graph."""
    return function


def graphed(
    function: Callable[..., None], state: State | None, benchmark: bool = True
) -> Callable[..., None]:
    """Return a function of a batch as one CUDA graph, or with a warning the function itself.

    state: the state that the function trains, whose optimizer is prepared; None for evaluation.
    benchmark: whether cuDNN may time its kernels in training.
    """
    problem = prepare_optimizer(state) if state is not None else None
    if problem:
        log.warning("Training without a CUDA graph: %s", problem)
        return function
    return GraphedFunction(function, benchmark and state is not None)


def prepare_optimizer(state: State) -> str | None:
    """Make an optimizer keep its learning rates (float32) and its number of steps on the device.

    Returns the reason if it cannot.
    """
    if state.scaler.is_enabled():
        return "the loss scaling of fp16 decides at each step whether to update; bf16 needs none."
    optimizer = state.optimizer
    for group in optimizer.param_groups:
        if not (getattr(optimizer, "capturable", "capturable" in group) or group.get("fused")):
            return f"{type(optimizer).__name__} counts its steps on the CPU."
    for group in optimizer.param_groups:
        device = group["params"][0].device
        group["lr"] = torch.tensor(float(group["lr"]), device=device)
        if "capturable" in group:
            group["capturable"] = True
        for parameter in group["params"]:
            own = optimizer.state.get(parameter, {})
            if isinstance(own.get("step"), Tensor):
                own["step"] = own["step"].to(device)
    return None


class GraphedFunction:
    """A function of a batch that is replayed as one CUDA graph, from its second batch on.

    The first batch, a real step like all others, runs eagerly, and so do batches of another size
    than the first, such as the last of an epoch. The function must launch the same kernels for
    every batch of a size and read nothing back. If its capture fails, it is tried once more after
    ``SECOND_TRY`` eager batches, which may load what was missing. If that fails too, a warning is
    logged and all batches run eagerly from then on.

    benchmark: whether cuDNN may time its kernels for the size that is captured. It never does for
        other sizes, which are too rare to regain that time.
    """

    def __init__(self, function: Callable[..., None], benchmark: bool = True) -> None:
        self.function = function
        self.benchmark = benchmark
        self.sizes: list[torch.Size] | None = None
        self.left, self.tries = WARM_UP, 2
        self.batch: tuple[Tensor, ...] = ()
        self.replay: Callable[[], None] | None = None

    @property
    def impossible(self) -> bool:
        """Whether no capture is tried any more."""
        return self.tries == 0 and self.replay is None

    def __call__(self, *batch: Tensor) -> None:
        """Run the function on a batch."""
        sizes = [part.shape for part in batch]
        self.sizes = self.sizes or sizes
        if sizes != self.sizes:
            with cudnn_benchmark(False):
                self.function(*batch)
        elif self.left > 0:
            self.left -= 1
            with cudnn_benchmark(self.benchmark):
                run_on_side_stream(self.function, batch)
        elif replay := self.replay or self.capture(batch):
            for fixed, part in zip(self.batch, batch, strict=True):
                fixed.copy_(part)
            replay()
        else:
            with cudnn_benchmark(self.benchmark):
                self.function(*batch)

    def capture(self, batch: tuple[Tensor, ...]) -> Callable[[], None] | None:
        """Capture the function for batches of this size; return its replay, None if it failed."""
        if self.impossible:
            return None
        self.tries -= 1
        self.batch = tuple(part.clone() for part in batch)
        try:
            with cudnn_benchmark(self.benchmark):
                self.replay = capture_graph(self.function, self.batch)
        except RuntimeError as error:
            reason = str(first_cause(error)).split("\n")[0]
            self.left = SECOND_TRY - WARM_UP - 1 if self.tries else 0
            level = logging.INFO if self.tries else logging.WARNING
            log.log(level, "Continuing without a CUDA graph, its capture failed: %s", reason)
        return self.replay


@contextmanager
def cudnn_benchmark(allowed: bool) -> Iterator[None]:
    """Let cuDNN time its kernels for new sizes only if ``allowed`` and if it did before."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before and allowed
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def run_on_side_stream(function: Callable[..., None], batch: tuple[Tensor, ...]) -> None:
    """Run a function on a separate stream, as the capture will."""
    main, side = torch.cuda.current_stream(), side_stream(torch.cuda.current_device())
    side.wait_stream(main)
    with torch.cuda.stream(side):
        function(*batch)
    main.wait_stream(side)


@cache
def side_stream(device: int) -> torch.cuda.Stream:
    """Return one stream for all warm-ups on a GPU: cuBLAS keeps 32 MiB for each on an H200."""
    return torch.cuda.Stream(device)


def free_workspaces() -> None:
    """Free the memory that cuBLAS keeps for every stream; it is allocated again when needed."""
    free = getattr(torch._C, "_cuda_clearCublasWorkspaces", None)
    if free is not None:
        free()


def capture_graph(function: Callable[..., None], batch: tuple[Tensor, ...]) -> Callable[[], None]:
    """Capture the kernels that a function launches, without running them; return the replay.

    Raises RuntimeError if the function does something that a graph cannot hold.
    """
    graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    stream = torch.cuda.current_stream()
    try:
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            function(*batch)
    except BaseException:
        clean_up(stream, pool)
        raise
    return graph.replay


def clean_up(stream: torch.cuda.Stream, pool: tuple[int, int]) -> None:
    """Restore what PyTorch leaves in the state of a capture when the capture fails.

    The capture's stream stays the current one, the allocator keeps its memory pool, and the random
    generator stays registered with the graph, so that the next dropout and every earlier graph
    raise an error. A capture that succeeds ends the generator's registration
    (CUDAGeneratorState in PyTorch 2.11) and leaves its seed and offset unchanged.
    """
    torch.cuda.set_stream(stream)
    with suppress(RuntimeError):  # if only the function failed, the capture has ended already
        torch._C._cuda_endAllocateToPool(stream.device_index, pool)
        torch._C._cuda_releasePool(stream.device_index, pool)
    number = torch.zeros((), device=stream.device)
    with torch.cuda.graph(torch.cuda.CUDAGraph(), capture_error_mode="thread_local"):
        number += 1


def first_cause(error: BaseException) -> BaseException:
    """Return the original error: the one at the end of a capture only says that it failed."""
    while error.__context__ is not None:
        error = error.__context__
    return error
