"""Methods without a network, on the data and the split of a run."""
