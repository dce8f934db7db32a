"""The outputs of all examples of an evaluation, kept on the device."""

import torch
from torch import Tensor


class KeptOutputs:
    """Stores the outputs and targets of up to ``examples`` examples, in the order of the batches.

    The memory is allocated at the first batch and written at a position that is on the device as
    well, so that storing a batch can be part of a CUDA graph.
    """

    def __init__(self, examples: int) -> None:
        self.examples = examples
        self.memory: list[Tensor] = []  # outputs (examples, K) and targets (examples, ...)
        self.position: Tensor | None = None

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        """Store the outputs (N, K) and targets of the next N examples."""
        if self.position is None:
            self.memory = [
                values.new_empty(self.examples, *values.shape[1:]) for values in (outputs, targets)
            ]
            self.position = torch.zeros((), dtype=torch.int64, device=outputs.device)
        places = self.position + torch.arange(len(outputs), device=outputs.device)
        for memory, values in zip(self.memory, (outputs, targets), strict=True):
            memory.index_copy_(0, places, values.detach())
        self.position += len(outputs)

    def start(self) -> None:
        """Start again with the first example."""
        if self.position is not None:
            self.position.zero_()

    def read(self) -> tuple[Tensor, Tensor]:
        """Return all outputs (N, K) and targets so far, on the CPU."""
        assert self.position is not None
        outputs, targets = (memory[: int(self.position)].cpu() for memory in self.memory)
        return outputs, targets
