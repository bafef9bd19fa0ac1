"""Compliance of units: judged, stored, judged again when something changed."""
