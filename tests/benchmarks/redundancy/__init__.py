"""Simulated meters with redundant registers, for the table of redundancy."""
