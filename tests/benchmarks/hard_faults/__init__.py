"""Hard faults on real loads, scored: loads and their split, registers, faults, the run through the core, the figures.

`loads` says which meters exist and who may be looked at while rules are chosen · `registers` makes dials of them that
are read and sent · `faults` spoils them, by seed, and keeps the truth · `run` takes them through the steps of the
stream · `scoring` counts · `rivals` are what else one could do.
The table: ``python -m tests.benchmarks.hard_fault_table``.
"""
