"""What several commands share: their parameters, their tables, files that they read."""
