"""Optimizers: ``(parameter groups) -> torch.optim.Optimizer``.

The optimizers are PyTorch's own, named in ``configs/optim/``; what is written here is which
parameters go into which group.
"""
