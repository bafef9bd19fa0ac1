"""What keeps an instance going: how its partitions do, and its backups."""
