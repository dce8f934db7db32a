"""The training loop; it receives models, losses and data as arguments and imports none."""
