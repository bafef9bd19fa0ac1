"""Shared code of commands: parameter types, tables, reading of files."""
