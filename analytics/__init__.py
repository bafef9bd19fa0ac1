"""What metrology knows, as values in and values out; no machine, file or clock."""
