"""Readings judged one by one against the ledger, compiled."""

import math

import numpy as np

from analytics.columns._installing_kernel import in_force_at
from analytics.compiled import compiled
from analytics.domain.quality import RejectReason
from analytics.domain.units import NO_UNIT

__all__ = ["judge"]

_NOT_A_NUMBER = int(RejectReason.NOT_A_NUMBER)
_FUTURE = int(RejectReason.FUTURE)
_TIME_OUT_OF_RANGE = int(RejectReason.TIME_OUT_OF_RANGE)
_UNIT_MISMATCH = int(RejectReason.UNIT_MISMATCH)
_UNKNOWN_UNIT = int(RejectReason.UNKNOWN_UNIT)
_NOT_INSTALLED = int(RejectReason.NOT_INSTALLED)
_UNKNOWN_METER = int(RejectReason.UNKNOWN_METER)
_NO_UNIT = int(NO_UNIT)


@compiled
def judge(
    rows, own_unit, start, order, installed_from, installed_to, installed_unit, kinds, factors, future_us, earliest_us,
    converted, reason,
):  # fmt: skip
    """Fill in `reason`, and of `rows` the installation, the dial, and the flag `converted` where it was converted.

    Parameters
    ----------
    rows : (n,) records
        See `analytics.columns.screening.screen`.
    own_unit : (n,) int16, or empty
    start, order, installed_from, installed_to, installed_unit
        Of the ledger's installations.
    kinds, factors
        By unit code.
    """
    for i in range(rows.size):
        row = rows[i]
        meter, at, unit = row.meter, row.measured_at, row.unit
        k = in_force_at(meter, at, start, order, installed_from, installed_to)
        own = _NO_UNIT
        if k >= 0:
            own = installed_unit[k] if own_unit.size == 0 or own_unit[i] < 0 else own_unit[i]
        why = 0
        # from the least to the most important: a later line overwrites an earlier one
        if not math.isfinite(row.value):
            why = _NOT_A_NUMBER
        if at > row.received_at + future_us:
            why = _FUTURE
        if at < earliest_us:
            why = _TIME_OUT_OF_RANGE
        if k >= 0 and kinds[own] != kinds[unit]:
            why = _UNIT_MISMATCH
        if unit == _NO_UNIT:
            why = _UNKNOWN_UNIT
        if k < 0 and why not in (_FUTURE, _TIME_OUT_OF_RANGE):
            why = _NOT_INSTALLED
        if meter < 0:
            why = _UNKNOWN_METER
        row.installation = k
        row.dial = row.value
        if k >= 0 and own != unit and why == 0:
            row.dial = row.value * (factors[unit] / factors[own])
            row.quality = np.int16(row.quality | converted)
        reason[i] = why
