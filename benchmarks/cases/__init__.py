"""The cases: modules with ``TITLE``, ``GPU`` and ``measure(options)``, which yields Markdown.

GPU: whether the case is part of ``--gpu``.
"""

NAMES = (
    "start_up", "overhead", "safety", "diagnostics", "speed", "zoo", "process", "records",
    "scaling", "devices", "profile", "memory", "images", "together",
)  # fmt: skip
