"""Provisioning of a Grafana server: wanted state, actual state, and the steps between."""
