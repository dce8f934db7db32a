"""From a config to objects, folds and a result."""
