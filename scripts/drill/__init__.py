"""The parts of the drill: kill runs and fail their file operations, resume them, compare them."""
