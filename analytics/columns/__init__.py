"""Steps over parallel columns of one partition's meters."""
