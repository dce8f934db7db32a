"""The terminal: messages, streams, and the one live line."""
