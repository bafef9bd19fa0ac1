"""Operation of an instance: progress of partitions, backup and restore."""
