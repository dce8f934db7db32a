"""What ``benchmarks/benchmark.py`` measures.

``cases/``: one file a case, ``measure(options)`` yields Markdown. ``implementations/``: one file
for each way to train, with ``epoch(number)``. ``programs/``: whole scripts as users of other
libraries write them. ``dlcourse.timing.training`` makes an epoch of dlcourse.
"""
