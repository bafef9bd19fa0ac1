"""Agents: they join the pure steps to topics and to the store, and hold no arithmetic."""
