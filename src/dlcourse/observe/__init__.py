"""Observers: ``Observer(folder)``, see ``core.Observer``. They look and never steer."""
