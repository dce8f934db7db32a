"""Experiment trackers (W&B, MLflow, Aim), each in a process of its own; imports no torch.

The training process sends lines of JSON (``process.py``), and the tracker's process calls the
library (``worker.py``). Whatever a library does, slowly, wrongly or not at all, happens there.
"""
