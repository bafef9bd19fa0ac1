"""Intake: readings from devices, gateways and files, packed into blocks on Kafka."""
