"""Gain faults of meters, found by the energy balance of a point and its children, and what cannot be seen at all.

A gain drift of 1–2 % cannot be told from a change of load on one meter alone: without a reference the answer is "not
observable", and never an alarm. With a complete balance, parent = Σ (1 + e) child + losses, it can.

`groups` which points make a balance · `hours` their hours · `state` and `engine` the balance followed hour by hour ·
`observability` what could be seen, for each point. How well it works: `tests/benchmarks/drift`.
"""
