"""Gateways: devices and systems that bring readings of one or more energy-using units."""
