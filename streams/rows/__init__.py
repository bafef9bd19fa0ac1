"""Rows of the store, and results of the steps as such."""
