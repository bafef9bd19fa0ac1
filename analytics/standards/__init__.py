"""Checks against GB 17167 and related standards; their tables are data, by edition."""
