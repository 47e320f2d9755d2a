"""The pure parts of the store."""
