"""Optimizers on surfaces of two variables: the surfaces, their paths and plots."""
