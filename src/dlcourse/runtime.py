"""The machine as a run uses it: device, precision, threads, compilation, determinism."""

import gc
import logging
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.core import has_float64
from dlcourse.distributed.ranks import this_rank
from dlcourse.errors import UserError
from dlcourse.machine.anomaly import check_layers, detect_anomalies
from dlcourse.machine.compiled import compile_for_training
from dlcourse.machine.compiled_library import CannotCompileError
from dlcourse.machine.cuda_graph import free_workspaces
from dlcourse.machine.cuda_libraries import loading_libraries
from dlcourse.machine.fused_layers import use_fused_layers
from dlcourse.machine.fused_step import use_fused_kernels
from dlcourse.machine.linear_by_convolution import use_convolutions
from dlcourse.machine.linear_by_onednn import has_onednn, use_onednn
from dlcourse.machine.malloc import keep_freed_memory
from dlcourse.machine.skip_dynamo import restore_dynamo, skip_dynamo

OPEN = "auto"  # the value of an option that is not decided yet
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}

log = logging.getLogger(__name__)


class Runtime:
    """The machine as a run uses it; creating one sets PyTorch's process-wide switches.

    device: ``auto`` (CUDA where there is one, else Apple's GPU, else the CPU), ``cpu``, ``cuda``,
        ``cuda:1`` or ``mps``.
    precision: ``fp32``, ``bf16`` or ``fp16``, the last two through autocast with weights in fp32;
        ``tf32``, fp32 whose matrix products round their factors to 10 bits on CUDA; or ``fp64``,
        weights included.
    threads: of the CPU, divided among the ranks on this machine; None leaves PyTorch's choice.
    channels_last: keep images and filters in NHWC memory order.
    linear: how linear layers are computed on the CPU: as matrix ``products`` as PyTorch does, as
        products of ``onednn`` or as ``convolution``.
    fused_layers: on the CPU, compute batch norm, addition and ReLU as one layer, and max pooling of
        few channels, by kernels that are compiled at their first use.
    fast_paths: allow the shortcuts of ``dlcourse.machine``, which use private parts of PyTorch and
        of the C library. False switches all of them off, ``keep_memory`` and ``graph`` included.
    keep_memory: on the CPU, keep the memory that a step frees for the next one.
    graph: on CUDA, replay each training step as one graph.
    compile: run the model's training steps through ``torch.compile``.
    deterministic: only reproducible kernels, slower on CUDA.
    devices: the number of ranks that share each batch, each with a GPU or a part of the CPU.
    batch_norm: whether its statistics are those of all ranks, ``synchronised``, or ``per_device``.

    anomaly: check every layer's output, every gradient and every update; see ``machine.anomaly``.

    channels_last, linear, fused_layers and compile can be ``auto`` until ``with_picks`` decides
    them; NHWC, products and PyTorch's layers are used until then, and nothing is compiled. Only on
    one CUDA device is compile ever tried.

    Raises UserError if the machine lacks what the options need.
    """

    def __init__(
        self,
        *,
        device: str,
        precision: str,
        threads: int | None,
        channels_last: bool | str,
        linear: str,
        fused_layers: bool | str,
        fast_paths: bool,
        keep_memory: bool,
        graph: bool,
        compile: bool | str,
        deterministic: bool,
        devices: int,
        batch_norm: str,
        anomaly: bool,
    ) -> None:
        self.device = device_of_rank(choose_device(device))
        self.devices = devices
        self.batch_norm = batch_norm
        self.anomaly = anomaly
        self.precision = precision
        self.channels_last = channels_last
        self.linear = "products" if linear == OPEN and not fast_paths else linear
        fusing = fast_paths and self.device.type == "cpu"
        self.fused_layers = fused_layers if fused_layers != OPEN or fusing else False
        self.fast_paths = fast_paths
        self.dtype = torch.float64 if precision == "fp64" else torch.float32
        # not fp64: a graph's learning rates are float32; not fp16: its loss scaler may skip a step
        self.graph = (
            fast_paths
            and graph
            and self.device.type == "cuda"
            and precision in ("fp32", "tf32", "bf16")
        )
        tried = self.device.type == "cuda" and not this_rank().joined
        self.compile = compile if compile != OPEN or tried else False
        self.refuse_what_is_missing()
        if self.device.type == "mps" and channels_last == OPEN:
            self.channels_last = False  # not tried there
        if self.device.index is not None:
            torch.cuda.set_device(self.device)  # whose streams and generator a graph uses
        if threads is not None:
            torch.set_num_threads(max(1, threads // this_rank().local_size))
        if fast_paths and keep_memory and self.device.type == "cpu":
            keep_freed_memory()
        # each run sets it, so that the next run of this process does not inherit it
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        torch.backends.cudnn.benchmark = not deterministic
        torch.backends.cudnn.deterministic = deterministic
        if deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        detect_anomalies(anomaly)
        if deterministic != torch.are_deterministic_algorithms_enabled():  # the call takes a second
            torch.use_deterministic_algorithms(deterministic)

    @property
    def compiles(self) -> bool:
        """Whether the model's training steps are compiled."""
        return self.compile is True

    def refuse_what_is_missing(self) -> None:
        """Raise UserError for options that the device or other options do not allow."""
        device = {"cpu": "the CPU", "mps": "an Apple GPU"}.get(self.device.type)
        if device and self.precision == "fp16":
            raise UserError(
                f"runtime.precision=fp16 needs CUDA, and this run is on {device}.\n"
                "Type runtime.precision=bf16 or runtime.precision=fp32"
            )
        if self.precision == "tf32":
            refuse_without_tf32(self.device)
        if self.precision == "fp64" and not has_float64(self.device):
            raise UserError(
                "runtime.precision=fp64 is not supported by Apple's GPUs.\n"
                "Type runtime=cpu, or runtime.precision=fp32"
            )
        if self.linear in ("convolution", "onednn") and not self.fast_paths:
            raise UserError(
                f"runtime.linear={self.linear} is a fast path, and runtime.fast_paths=false "
                "switches all of them off.\n"
                "Type runtime.linear=products, or runtime.fast_paths=true"
            )
        if self.fused_layers is True and not self.fast_paths:
            raise UserError(
                "runtime.fused_layers=true is a fast path, and runtime.fast_paths=false switches "
                "all of them off.\nType runtime.fused_layers=false, or runtime.fast_paths=true"
            )
        if self.linear == "onednn" and self.device.type == "cpu" and not has_onednn():
            raise UserError(
                "runtime.linear=onednn needs a PyTorch with oneDNN, and this one has none.\n"
                "Type runtime.linear=products"
            )
        if self.compiles and self.device.type == "mps":
            raise UserError(
                "runtime.compile=true is not supported on an Apple GPU.\n"
                "Type runtime.compile=false, or runtime=cpu"
            )
        if self.compiles and self.device.type == "cpu":
            refuse_without_compiler()

    def refuse_too_few_gpus(self) -> None:
        """Raise UserError if the ranks of a run would not get a GPU each on this machine."""
        if self.devices > 1 and self.device.type != "cpu":
            refuse_more_than_the_gpus(self.devices, self.device)

    def with_picks(self, picks: dict[str, Any]) -> "Runtime":
        """Return this runtime with values for options that were ``auto``.

        picks: ``{"channels_last": True, "linear": "products"}``; a missing option stays as it is.
        """
        other = copy(self)
        other.channels_last = picks.get("channels_last", self.channels_last)
        other.linear = picks.get("linear", self.linear)
        other.compile = picks.get("compile", self.compile)
        other.fused_layers = picks.get("fused_layers", self.fused_layers)
        return other

    def place(self, model: nn.Module, input_shape: tuple[int, ...]) -> nn.Module:
        """Move a model to the device, in its memory order and precision; compile it if chosen.

        It is compiled in place, so that the names in a checkpoint do not change.
        """
        if self.precision == "fp64":
            model.double()
        if self._reorders(input_shape):
            to: Any = model.to  # PyTorch's stubs know this form with no device
            to(self.device, memory_format=torch.channels_last)
            if self.device.type == "cpu":
                for layer in model.modules():
                    if isinstance(layer, nn.Conv2d) and overruns(layer):
                        skip_pixels_first(layer)
        else:
            model.to(self.device)
        if self.linear == "convolution" and self.device.type == "cpu":
            use_convolutions(model)
        if self.linear == "onednn" and self.device.type == "cpu" and has_onednn():
            use_onednn(model)
        if self.fused_layers is True and self.device.type == "cpu":
            try:
                use_fused_layers(model)
            except CannotCompileError as error:
                raise UserError(
                    f"runtime.fused_layers=true cannot be used: {error}.\n"
                    "Type runtime.fused_layers=false"
                ) from error
        if self.anomaly:
            check_layers(model)
        if self.compiles:
            compile_for_training(model)
        return model

    def loading_libraries(self) -> AbstractContextManager:
        """Return a context during which CUDA and its libraries are loaded in a thread."""
        return loading_libraries(self.device) if self.device.type == "cuda" else nullcontext()

    def wait(self) -> None:
        """Wait until the GPU, if there is one, has finished all its work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def release_memory(self) -> None:
        """Free the memory of a finished fold on the GPU, for the next one.

        Models with their optimizers form cycles, which Python frees late.
        """
        if self.device.type == "cuda":
            gc.collect()
            free_workspaces()
            torch.cuda.empty_cache()

    def prepare_optimizers(self) -> None:
        """Switch PyTorch's compiler off or on for optimizers; called before one is created."""
        if self.fast_paths and not self.compiles:
            skip_dynamo()
        else:
            restore_dynamo()

    def accelerate(self, optimizer: torch.optim.Optimizer) -> None:
        """Make an optimizer call its fused kernels directly, if fast paths are allowed."""
        if self.fast_paths:
            use_fused_kernels(optimizer)

    def prepare(self, input_shape: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
        """Return the function that puts a batch (N, *input_shape) into the model's memory order."""
        if self._reorders(input_shape):
            return partial(torch.Tensor.contiguous, memory_format=torch.channels_last)
        return torch.Tensor.contiguous

    def autocast(self) -> AbstractContextManager:
        """Return the context in which forward passes run."""
        if self.precision not in DTYPES:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=DTYPES[self.precision])

    def scaler(self) -> torch.amp.GradScaler:
        """Return the loss scaler of fp16, which keeps small gradients; disabled otherwise."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")

    def describe(self) -> str:
        """Return the device's name for people, ``cuda (NVIDIA H200)`` or ``cpu (2 threads)``."""
        if self.device.type == "mps":
            return "mps (Apple GPU)"
        if self.device.type == "cuda":
            return f"{self.device} ({torch.cuda.get_device_name(self.device)})"
        return f"cpu ({torch.get_num_threads()} threads)"

    def _reorders(self, input_shape: tuple[int, ...]) -> bool:
        return bool(self.channels_last) and len(input_shape) == 3


def overruns(layer: nn.Module) -> bool:
    """Return whether a layer's backward pass would write beyond its memory on the CPU.

    In NHWC order oneDNN does so for 1 x 1 convolutions with a stride and fewer input channels than
    it processes at a time, 16 with AVX-512: processes crashed at 4 to 15 channels (PyTorch 2.15;
    oneDNN issue 6035).
    """
    return (
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and layer.padding in ((0, 0), "valid")
        and max(layer.stride) > 1
        and layer.in_channels // layer.groups < 16
    )


def skip_pixels_first(layer: nn.Conv2d) -> None:
    """Replace the stride of a 1 x 1 convolution: pass it only the pixels that it uses.

    The outputs are the same. It is always on, because the backward pass may crash otherwise (see
    ``overruns``).
    """
    rows, columns = layer.stride
    layer.stride = (1, 1)
    layer.register_forward_pre_hook(lambda _, inputs: (inputs[0][..., ::rows, ::columns],))


def refuse_without_tf32(device: torch.device) -> None:
    """Raise UserError if a device has no TF32: only NVIDIA GPUs have it, since 2020 (Ampere)."""
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0):
        return
    name = {"cpu": "the CPU", "mps": "an Apple GPU"}.get(device.type, "an older GPU")
    raise UserError(
        f"runtime.precision=tf32 needs an NVIDIA GPU since Ampere, and this run is on {name}.\n"
        "Type runtime.precision=fp32, or runtime.precision=bf16"
    )


def refuse_without_compiler() -> None:
    """Raise UserError if there is no C++ compiler, which torch.compile needs on the CPU."""
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    compiler = os.environ.get("CXX", usual)
    if shutil.which(compiler) is None:
        raise UserError(
            f"runtime.compile=true needs a C++ compiler, and {compiler} is not found.\n"
            "Install one, name it in the variable CXX, or type runtime.compile=false"
        )


def device_of_rank(device: torch.device) -> torch.device:
    """Return the device of this process: a GPU for each rank; raises UserError without enough."""
    here = this_rank()
    if not here.joined or device.type == "cpu":
        return device
    refuse_more_than_the_gpus(here.local_size, device)
    return torch.device("cuda", here.local_rank)


def refuse_more_than_the_gpus(devices: int, device: torch.device) -> None:
    """Raise UserError if this machine has fewer GPUs than ``devices``."""
    count = torch.cuda.device_count()
    if device.type == "cuda" and devices <= count:
        return
    have = f"{count} CUDA devices" if device.type == "cuda" else "an Apple GPU"
    raise UserError(
        f"This run has {devices} processes on this machine, each with a GPU of its own, and there "
        f"are {have}.\nType runtime.devices={max(1, count)}, or runtime=cpu to divide the CPU"
    )


def choose_device(name: str) -> torch.device:
    """Return the device of ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``, if it exists."""
    apple = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if apple else "cpu")
    device = torch.device(name)
    if device.type == "mps" and not apple:
        raise UserError(
            "runtime.device=mps is the GPU of an Apple computer, and PyTorch finds none here.\n"
            "Type runtime=cpu, or runtime=auto to take what there is"
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise UserError(
            f"runtime.device={name} does not exist: this machine has {count} CUDA devices.\n"
            "Type runtime=cpu, or runtime=auto to take what there is"
        )
    return device
