"""The measurements of ``benchmarks/benchmark.py``.

``cases/``: one file per case, whose ``measure(options)`` yields Markdown. ``implementations/``: one
file per training loop, with a method ``epoch(number)``. ``programs/``: whole scripts, as users of
other libraries write them. dlcourse's own loop is in ``dlcourse.timing.training``.
"""
