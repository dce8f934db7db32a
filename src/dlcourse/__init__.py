"""Deep-learning experiments from the command line.

The floors, from the ground up; each imports only what lies below it:

0. ``core``, ``layer``, ``runtime`` and, free of torch, ``error``: nouns that everything shares.
1. The leaves, one folder for each group in ``configs/``: ``data``, ``split``, ``model`` and so on.
2. ``train``: the loop. It is handed the leaves and imports none.
3. ``experiment``: config -> objects -> folds -> result. ``check`` looks at the config before it.
4. ``cli`` and the scripts.
"""

__version__ = "0.1.0"
