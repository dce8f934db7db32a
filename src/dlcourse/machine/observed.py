"""Whether something else than the training loop observes or transforms a computation."""

import torch


def observed() -> bool:
    """Return whether operations are counted, traced, transformed or compiled now.

    Then a fast path has to compute as PyTorch does, so that an observer sees the operations that it
    knows: modes that see every function or kernel (the counter of operations), the transforms of
    ``torch.func`` such as ``vmap``, and ``torch.compile``.
    """
    private = torch._C
    return (
        torch.compiler.is_compiling()  # first: a compiler then need not trace the others
        or private._len_torch_function_stack() > 0
        or private._len_torch_dispatch_stack() > 0
        or private._are_functorch_transforms_active()
    )
