"""What may be typed: options with their bounds and rules, and composing; imports no torch."""
