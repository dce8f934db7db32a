"""Looking into a trained network: one file for each ``what`` of ``dlcourse look``."""
