"""Faults detected from a meter's own history: stuck dials, wrong clocks, wrong ratios.

`arrival` follows readings in the order in which they arrive (stuck dials, clocks) · `ratio` holds energy against power
where a meter sends both · `severity` by kind · `sensitivity` thresholds adjusted by inspection results.
Faults visible in the register alone (gap, spike, reset, scale, ...) are detected by `analytics.columns.register`.
"""
