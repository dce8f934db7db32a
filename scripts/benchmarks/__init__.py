"""What ``scripts/benchmark.py`` and ``scripts/doctor.py`` measure with.

``cases/``: one file a case, ``measure(options)`` yields Markdown. ``contenders/``: one file for
each way to train, with ``epoch(number)``. ``programs/``: whole scripts as users of other libraries
write them. ``ours.py`` is the one place that knows how an epoch of dlcourse is made.
"""
