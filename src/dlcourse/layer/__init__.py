"""What several models share, chosen by a word; and the arithmetic and the gradients behind it."""
