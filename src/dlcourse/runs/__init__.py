"""A run's folder: its files, who may use it, and configs of older versions; imports no torch."""
