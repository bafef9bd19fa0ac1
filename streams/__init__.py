"""Pure steps joined to topics and to the store."""
