"""A real Kafka and a real TimescaleDB as local processes."""
