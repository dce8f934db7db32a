"""The loop and what it needs: it is handed models, losses and data, and imports none."""
