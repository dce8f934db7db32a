"""Two finished runs side by side: what differs, their curves, and a test on the same examples."""
