"""CUDA graphs: a step's kernels, launched all at once."""

import logging
from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor

from dlcourse.core import State

WARM_UP = 3  # steps by themselves first: they choose kernels and make the optimizer's state

log = logging.getLogger(__name__)


def uncaptured(function: Callable[..., None], state: State | None) -> Callable[..., None]:
    """Return the function itself."""
    return function


def captured(function: Callable[..., None], state: State | None) -> Callable[..., None]:
    """Return the function of a batch as one CUDA graph; as it is where that cannot be, and say so.

    state: what the function trains, its optimizer made ready for it; None where it only looks.
    """
    problem = state and make_ready(state)
    if problem:
        log.warning("Training without a CUDA graph: %s", problem)
        return function
    return Captured(function)


def make_ready(state: State) -> str | None:
    """Let an optimizer read its learning rates, in float32, and count its steps on the device.

    Returns the reason where it cannot.
    """
    if state.scaler.is_enabled():
        return "loss scaling for fp16 decides step by step whether to move; bf16 needs none."
    optimizer = state.optimizer
    for group in optimizer.param_groups:
        if not (getattr(optimizer, "capturable", "capturable" in group) or group.get("fused")):
            return f"{type(optimizer).__name__} counts its steps on the CPU."
    for group in optimizer.param_groups:
        device = group["params"][0].device
        group["lr"] = torch.tensor(float(group["lr"]), device=device)
        group.pop("told", None)
        if "capturable" in group:
            group["capturable"] = True
        for parameter in group["params"]:
            own = optimizer.state.get(parameter, {})
            if isinstance(own.get("step"), Tensor):
                own["step"] = own["step"].to(device)
    return None


class Captured:
    """A function of a batch that is replayed as one CUDA graph, from its fourth batch on.

    The first batches, real steps like all others, are carried out one kernel after the other. So
    are batches of another size than the first, such as an epoch's last. The function must do the
    same kernels for every batch of a size and read nothing back; where PyTorch finds that it does
    not, it is carried out as it is from then on, and a line says so.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function
        self.sizes: list[torch.Size] | None = None
        self.left = WARM_UP
        self.batch: tuple[Tensor, ...] = ()
        self.replay: Callable[[], None] | None = None
        self.impossible = False

    def __call__(self, *batch: Tensor) -> None:
        """Carry out the function on a batch."""
        sizes = [part.shape for part in batch]
        self.sizes = self.sizes or sizes
        if sizes != self.sizes or self.impossible:
            self.function(*batch)
        elif self.left > 0:
            self.left -= 1
            aside(self.function, batch)
        elif self.replay or self.record(batch):
            for there, part in zip(self.batch, batch, strict=True):
                there.copy_(part)
            self.replay()
        else:
            self.function(*batch)

    def record(self, batch: tuple[Tensor, ...]) -> bool:
        """Record the function for batches like this one; return whether that could be done."""
        log.info("Recording a CUDA graph: the first epoch takes longer than the next ones")
        self.batch = tuple(part.clone() for part in batch)
        try:
            self.replay = recorded(self.function, self.batch)
        except RuntimeError as error:
            reason = str(first_cause(error)).split("\n")[0]
            log.warning("Continuing without a CUDA graph, for it cannot be captured: %s", reason)
            self.impossible = True
        return not self.impossible


def aside(function: Callable[..., None], batch: tuple[Tensor, ...]) -> None:
    """Carry out a function in a stream of its own, as it will be recorded."""
    main, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(main)
    with torch.cuda.stream(side):
        function(*batch)
    main.wait_stream(side)


def recorded(function: Callable[..., None], batch: tuple[Tensor, ...]) -> Callable[[], None]:
    """Record what a function of tensors launches, without launching it; return what replays it.

    Raises RuntimeError where it asks for something that a graph cannot hold.
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
    """Put back what PyTorch leaves half open where a capture fails.

    Its stream stays the current one, the allocator keeps its pool, and the random generator counts
    on being captured: the next dropout raises, and so does every graph recorded before. A capture
    that succeeds closes the generator's (CUDAGeneratorState in PyTorch 2.11), without a change of
    its seed and offset.
    """
    torch.cuda.set_stream(stream)
    with suppress(RuntimeError):  # where only the function failed, the capture has ended by itself
        torch._C._cuda_endAllocateToPool(stream.device_index, pool)
        torch._C._cuda_releasePool(stream.device_index, pool)
    number = torch.zeros((), device=stream.device)
    with torch.cuda.graph(torch.cuda.CUDAGraph(), capture_error_mode="thread_local"):
        number += 1


def first_cause(error: BaseException) -> BaseException:
    """Return the error that others came of: the end of a capture only says that it failed."""
    while error.__context__ is not None:
        error = error.__context__
    return error
