"""Fast paths on private parts of PyTorch and the C library: each is guarded and has a plain twin.

``runtime.fast_paths=false`` switches all of them off.
"""
