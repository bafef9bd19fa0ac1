"""Standards of water metering."""
