"""Style and text of all plots."""
