"""Turn a config into objects and folds, train and test every fold, and write the result."""
