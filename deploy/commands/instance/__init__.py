"""Commands that keep an instance: start, stop, look, migrate, grow, back up."""
