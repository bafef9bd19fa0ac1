"""Which readings may be used at all: judged one by one, against the ledger, before any register is followed.

A reading that fails is rejected with its reason and goes no further; what only its neighbours can tell (a spike, a
repeat, a reset) is decided by `analytics.columns.register`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns._installing_kernel import in_force
from analytics.columns._screening_kernel import judge
from analytics.domain.arrays import check_columns
from analytics.domain.instants import US_PER_SECOND
from analytics.domain.ledger import Ledger
from analytics.domain.quality import ReadingFlag
from analytics.domain.units import FACTOR_TABLE, KIND_TABLE

__all__ = ["ScreeningRules", "installations_in_force", "screen"]


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
    ledger: Ledger, rows: NDArray[Any], *, rules: ScreeningRules, own_unit: NDArray[np.int16] | None = None
) -> NDArray[np.uint8]:
    """Judge readings against the ledger; the first rule a reading breaks is its reason.

    Parameters
    ----------
    rows : (n,) records
        Read of each: `meter`, int32 index into the ledger's meters, -1 where the ledger does not have it;
        `measured_at` and `received_at`, int64 [µs since 1970 UTC]; `value`, float64 as stated [`unit`]; `unit`, int16
        code of the stated unit, `NO_UNIT` where it is not known. Filled in: `installation`, int32, that in force for
        the meter at the time, -1 where none is; `dial`, float64, the value in the unit of that installation's
        register [dial unit]. In `quality`, int16, `ReadingFlag.UNIT_CONVERTED` is added where the stated unit was
        another of the same kind.
    own_unit : (n,) int16, optional
        Of readings of further registers the unit their value is wanted in; -1 for those of the main register, whose
        unit is the installation's.

    Returns
    -------
    (n,) uint8
        0 for a reading that may be used, else a `RejectReason`.

    Raises
    ------
    ArrayError
        If `own_unit` has another element type or length.
    """
    check_columns(len(rows), own_unit=(own_unit, np.int16))
    inst = ledger.installations
    reason = np.empty(len(rows), np.uint8)
    judge(
        rows,
        np.empty(0, np.int16) if own_unit is None else np.ascontiguousarray(own_unit),
        ledger.meter_installation_start,
        ledger.meter_installations,
        inst.installed_from,
        inst.installed_to,
        inst.unit,
        KIND_TABLE,
        FACTOR_TABLE,
        int(rules.future_s * US_PER_SECOND),
        rules.earliest_us,
        int(ReadingFlag.UNIT_CONVERTED),
        reason,
    )
    return reason
