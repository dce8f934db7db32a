"""Sweeps: many runs from one command, each in a process and a folder of its own.

A method (``grid``, ``zip``, ``one_at_a_time``, ``random``, ``optuna``) turns the command's search
spaces into points. A point becomes one job, or one for each seed or outer fold. A pool of processes
runs the jobs. Their state is read from their folders, so that the same command resumes a sweep.
"""
