"""Fuzz targets for the readers of dlcourse: see ``scripts/fuzz.py``."""
