"""What registers, gateways and loads do to real loads, and what of it the core counts; `register_table` prints it.

`worlds` makes dials of the loads that `tests.benchmarks.hard_faults.loads` splits · `faults` are the device faults and
the honest surprises, by seed · `scoring` holds what was counted against the truth · `rivals` are other rules.
"""
