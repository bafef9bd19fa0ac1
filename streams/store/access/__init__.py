"""Access control: registry of gateways, audit log, queries in the name of an enterprise."""
