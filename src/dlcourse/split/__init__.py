"""Splits: ``(targets, *, classes, ready_val, groups, **options) -> list[Part]``.

Each part holds the positions of the examples to train on and to validate on, and optionally those
to test on instead of the data set's test part. A hold-out is a list of one part.

targets: of the whole training part, (N,) classes or (N, K) values; or, where an example can have
several classes, (N, K) of 0 and 1. classes: bool, whether they are classes. ready_val: int, the
number of examples at the end that are a ready-made validation part. groups: (N,) int64, the group
of every example, or None.
"""
