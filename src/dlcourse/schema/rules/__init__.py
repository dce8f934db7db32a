"""Keys of a config that must fit each other: ``rule(config) -> Iterator[str]``.

Each rule yields what is wrong and what to type. Rules run before torch is imported and see names
and numbers alone; what depends on the data or the model is checked where they are loaded.
"""
