"""Fast paths for this machine: each is guarded and has a plain twin with the same results."""
