"""What several models share: activations and normalisation, chosen by a word."""
