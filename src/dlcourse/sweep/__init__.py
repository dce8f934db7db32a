"""Sweeps: many runs from one command, each in a process and a folder of its own.

A method (``grid``, ``zip``, ``one_at_a_time``, ``random``, ``optuna``) turns the command's spaces
into points; every point becomes one job, or one for each seed or outer fold; a pool of processes
runs the jobs; what has happened is read from the jobs' folders, so that a sweep which is started
again goes on.
"""
