"""Timing of training: a few steps of a command, by phase, and programs in turn."""
