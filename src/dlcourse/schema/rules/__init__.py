"""Keys of a config that must fit each other: ``rule(config) -> Iterator[str]``.

Each rule yields what is wrong and what to type. They run before torch is imported, so they see
names and numbers alone; what only the data or the model can tell is told where it is found.
"""
