"""Stream processing: Kafka records through pure steps into the database, and from there to alerts and topics."""
