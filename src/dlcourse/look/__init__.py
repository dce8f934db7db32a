"""What a trained network looks like inside: one file for each ``what`` of ``dlcourse look``."""
