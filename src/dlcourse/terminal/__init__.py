"""The terminal: error messages, standard streams, and the live line at the bottom."""
