"""Models that answer requests for a few nodes."""
