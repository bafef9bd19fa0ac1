"""What devices, gateways and files say, turned into blocks of readings on Kafka."""
