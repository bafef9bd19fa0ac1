"""Boards and reports over the store's views."""
