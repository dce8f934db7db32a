"""Lectures: each idea of a course as an experiment that runs in minutes, with its page.

A lecture is three files with one name: ``topics/<topic>.py`` runs the experiment and records
numbers, images and claims; ``pages/<topic>.md`` is the text, into which they are filled;
``configs/experiment/lecture/<topic>.yaml`` is the preset that the experiment trains with.
"""
