"""Plots of ranked points: ``draw_...(points, keys) -> Figure``, or None if there is no plot.

Only imported when something is drawn, because matplotlib is slow to import.
"""
