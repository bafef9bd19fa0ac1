"""Hard faults that only a meter's own past can show: a dial that stands still, a clock that is wrong, a wrong ratio.

`arrival` follows readings in the order in which they arrive (stuck dials, clocks) · `ratio` holds energy against power
where a meter says both · `severity` how bad a kind is · `sensitivity` what inspectors found, as thresholds.
What the register alone shows (gap, spike, reset, scale, ...) is `analytics.columns.register`'s to say.
"""
