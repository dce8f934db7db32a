"""The cases: ``TITLE`` and ``measure(options)``, which yields what it finds, in Markdown.

GPU says whether a case is one of ``--gpu``.
"""

NAMES = (
    "start_up", "overhead", "speed", "process", "records", "scaling", "profile", "memory",
)  # fmt: skip
