"""The plot of precision and recall under the module's earlier name, for code that imports it."""

from dlcourse.drawing.precision_recall import draw_precision_recall

__all__ = ["draw_precision_recall"]
