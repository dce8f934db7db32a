"""Observers: ``Observer(folder)``, classes derived from ``core.Observer``.

They show or record a run and never change it. An observer that raises is dropped with one warning.
"""
