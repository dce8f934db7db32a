"""Fast paths that use private parts of PyTorch and of the C library.

Each of them checks that it can be used, and otherwise leaves PyTorch's own way in place.
``runtime.fast_paths=false`` switches all of them off.
"""
