"""The experiments of the lectures, one module for each topic.

Contract: ``measure(bench)`` runs the commands of the lecture with ``bench.train``, ``bench.sweep``
and ``bench.command``, and gives what they show to ``bench.number``, ``bench.figure`` and
``bench.claim``. ``SMOKE`` and ``FULL`` are overrides that are added to each run of the smoke form,
which takes seconds, and of the full form.
"""
