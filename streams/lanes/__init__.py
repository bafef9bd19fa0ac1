"""One partition from its records to the store."""
