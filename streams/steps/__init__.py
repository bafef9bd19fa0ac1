"""Pure steps: blocks in, results out. No I/O and no clock."""
