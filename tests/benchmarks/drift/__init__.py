"""Simulated balances, and how well drift is found in them."""
