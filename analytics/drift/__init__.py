"""Gain errors of meters, detected by the energy balance of a point and its children; and where none is observable.

A gain drift of 1–2 % cannot be distinguished from a load change on one meter alone: without a reference it is "not
observable", and never an alarm. With a complete balance, parent = Σ (1 + e) child + losses, it can.

`groups`: which points form a balance · `hours`: their hours · `state`, `engine`: the balance, updated hour by hour ·
`observability`: the smallest detectable change of each point. Performance is measured in `tests/benchmarks/drift`.
"""
