"""Plots of ranked points: ``draw_...(points, keys) -> Figure``, or None where there is none.

Only imported when something is drawn, because matplotlib takes its time.
"""
