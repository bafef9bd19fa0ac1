"""Standards as data with an edition."""
