"""What can be seen before training: one file for each ``what`` of ``dlcourse show``."""
