"""The methods of a sweep: points from lists, at random, or from a search over earlier results."""
