"""Kafka as ingest uses it: topics, messages packed and published."""
