"""Which readings may be used at all: judged one by one, against the ledger, before any register is followed.

A reading that fails is rejected with its reason and goes no further; what only its neighbours can tell (a spike, a
repeat, a reset) is decided by `analytics.columns.register`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.columns._installing_kernel import in_force
from analytics.domain.arrays import check_columns
from analytics.domain.instants import US_PER_SECOND
from analytics.domain.ledger import Ledger
from analytics.domain.quality import ReadingFlag, RejectReason
from analytics.domain.units import FACTOR_TABLE, KIND_TABLE, NO_UNIT

__all__ = ["Screened", "ScreeningRules", "installations_in_force", "screen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningRules:
    """Limits of screening. Engineering choices, not figures of a standard.

    Parameters
    ----------
    future_s : float
        How far a reading may be measured after it was received: clocks differ. [s]
    earliest_us : int
        Readings measured before this instant are refused; 2000-01-01 UTC. [µs since 1970 UTC]
    """

    future_s: float = 600.0
    earliest_us: int = 946_684_800 * US_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """Readings as they were judged.

    Attributes
    ----------
    reason : (n,) uint8
        0 for a reading that may be used, else a `RejectReason`.
    installation : (n,) int32
        Installation in force for the meter at the time, -1 where none is.
    dial : (n,) float64
        Value in the unit of that installation's register. [dial unit]
    quality : (n,) int16
        As given, with `ReadingFlag.UNIT_CONVERTED` where the stated unit was another of the same kind.
    """

    reason: NDArray[np.uint8]
    installation: NDArray[np.int32]
    dial: NDArray[np.float64]
    quality: NDArray[np.int16]


def installations_in_force(ledger: Ledger, meter: NDArray[np.int32], at_us: NDArray[np.int64]) -> NDArray[np.int32]:
    """Installation of each meter at each time, -1 where it has none.

    An installation holds from its start to its end; at the very end too, where no next one of the meter begins.

    Parameters
    ----------
    meter : (n,) int32
        Index into the ledger's meters, -1 for an unknown one.
    at_us : (n,) int64
        [µs since 1970 UTC]

    Returns
    -------
    (n,) int32
    """
    inst = ledger.installations
    found: NDArray[np.int32] = in_force(
        meter,
        at_us,
        ledger.meter_installation_start,
        ledger.meter_installations,
        inst.installed_from,
        inst.installed_to,
    )
    return found


def screen(
    ledger: Ledger,
    *,
    meter: NDArray[np.int32],
    at_us: NDArray[np.int64],
    received_us: NDArray[np.int64],
    value: NDArray[np.float64],
    unit: NDArray[np.int16],
    quality: NDArray[np.int16],
    rules: ScreeningRules,
    own_unit: NDArray[np.int16] | None = None,
) -> Screened:
    """Judge readings against the ledger; the first rule a reading breaks is its reason.

    Parameters
    ----------
    meter : (n,) int32
        Index into the ledger's meters, -1 where the ledger does not have it.
    at_us, received_us : (n,) int64
        When measured and when received. [µs since 1970 UTC]
    value : (n,) float64
        As stated. [`unit`]
    unit : (n,) int16
        Code of the stated unit, `NO_UNIT` where it is not known.
    quality : (n,) int16
        `ReadingFlag` bits.
    own_unit : (n,) int16, optional
        Of readings of further registers the unit their value is wanted in; -1 for those of the main register, whose
        unit is the installation's.

    Raises
    ------
    ArrayError
        If an array has another element type or length.
    """
    check_columns(
        np.size(meter),
        meter=(meter, np.int32),
        at_us=(at_us, np.int64),
        received_us=(received_us, np.int64),
        value=(value, np.float64),
        unit=(unit, np.int16),
        quality=(quality, np.int16),
        own_unit=(own_unit, np.int16),
    )
    inst = ledger.installations
    installation = installations_in_force(ledger, meter, at_us)
    here = installation >= 0
    register_unit = np.where(here, inst.unit[installation], NO_UNIT) if len(inst) else np.zeros(meter.size, np.int16)
    if own_unit is not None:
        register_unit = np.where(here & (own_unit >= 0), own_unit, register_unit)
    reason = np.zeros(meter.size, np.uint8)
    # from the least to the most important: a later line overwrites an earlier one
    reason[~np.isfinite(value)] = RejectReason.NOT_A_NUMBER
    reason[at_us > received_us + int(rules.future_s * US_PER_SECOND)] = RejectReason.FUTURE
    reason[at_us < rules.earliest_us] = RejectReason.TIME_OUT_OF_RANGE
    reason[here & (KIND_TABLE[register_unit] != KIND_TABLE[unit])] = RejectReason.UNIT_MISMATCH
    reason[unit == NO_UNIT] = RejectReason.UNKNOWN_UNIT
    reason[~here & (reason != RejectReason.FUTURE) & (reason != RejectReason.TIME_OUT_OF_RANGE)] = (
        RejectReason.NOT_INSTALLED
    )
    reason[meter < 0] = RejectReason.UNKNOWN_METER
    other = here & (register_unit != unit) & (reason == 0)
    if other.any():
        value = value.copy()
        value[other] *= FACTOR_TABLE[unit[other]] / FACTOR_TABLE[register_unit[other]]
        quality = quality.copy()
        quality[other] |= np.int16(ReadingFlag.UNIT_CONVERTED)
    return Screened(reason=reason, installation=installation, dial=value, quality=quality)
