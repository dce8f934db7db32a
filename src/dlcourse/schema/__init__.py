"""Options with their bounds and rules, and the composition of configs; imports no torch."""
