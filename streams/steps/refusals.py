"""Texts of rejections: what was required, what came, for which meter and time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import RejectReason
from analytics.domain.registers import find_register, register_unit
from analytics.domain.units import unit_of
from ingest.wire import Block, partition_of
from streams.rows.layout import Refusal

if TYPE_CHECKING:
    from streams.steps.state import PartitionState

__all__ = ["refusals_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _instant(us: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=us)).isoformat()
    except OverflowError:
        return f"{us} µs"


def _installed(state: "PartitionState", unit_code: str, meter_no: str) -> str:
    """When the ledger has the meter where."""
    ledger = state.ledger
    meter = ledger.meter_index(unit_code)[meter_no]
    first, end = ledger.meter_installation_start[meter : meter + 2].tolist()
    spans = []
    for k in ledger.meter_installations[first:end].tolist():
        inst = ledger.installations
        until = int(inst.installed_to[k])
        to = "now" if until == np.iinfo(np.int64).max else _instant(until)
        spans.append(f"{_instant(int(inst.installed_from[k]))} to {to}")
    return "; ".join(spans) or "never"


def _words(  # noqa: C901, PLR0911 - one arm for each reason
    state: "PartitionState", block: Block, row: int, reason: RejectReason
) -> tuple[str, str]:
    """`(required, got)` for one reading."""
    meter_no, _, register = block.meters.names[int(block.meter[row])].partition("\x1f")
    at = _instant(int(block.measured_at[row]))
    unit = block.units[int(block.unit[row])]
    where = f"meter {meter_no} of unit {block.unit_code} at {at}"
    value = float(block.value[row])
    match reason:
        case RejectReason.WRONG_PARTITION:
            right = partition_of(block.unit_code, state.partitions)
            return f"partition {right}, that of the key {block.unit_code}", f"partition {state.partition}, for {where}"
        case RejectReason.UNKNOWN_UNIT_CODE:
            return "an energy-using unit that the ledger has", f"unit {block.unit_code}, for {where}"
        case RejectReason.UNKNOWN_METER:
            return f"a meter that the ledger of unit {block.unit_code} has", where
        case RejectReason.NOT_INSTALLED:
            spans = _installed(state, block.unit_code, meter_no)
            return f"a time at which meter {meter_no} is installed: {spans}", where
        case RejectReason.UNKNOWN_UNIT:
            return "a unit of measurement that is known and not ambiguous", f"{unit!r}, for {where}"
        case RejectReason.UNIT_MISMATCH:
            wanted = _register_unit(state, block, meter_no, register)
            return f"a unit of the kind of {wanted}", f"{unit!r}, for {where}" + _of(register)
        case RejectReason.FUTURE:
            limit = state.rules.screening.future_s
            received = _instant(int(block.received_at[row]))
            return f"measured at most {limit:g} s after it was received ({received})", where
        case RejectReason.TIME_OUT_OF_RANGE:
            return f"measured on or after {_instant(state.rules.screening.earliest_us)}", where
        case RejectReason.DUPLICATE:
            return "a reading that is not recorded yet", f"{value!r} {unit} again, for {where}" + _of(register)
        case RejectReason.CONFLICT:
            return "one value for a register and time", f"{value!r} {unit} beside the one recorded, for {where}" + _of(
                register
            )
        case _:
            return "a finite number", f"{value!r} {unit}, for {where}" + _of(register)


def _of(register: str) -> str:
    return f" register {register}" if register else ""


def _register_unit(state: "PartitionState", block: Block, meter_no: str, register: str) -> str:
    further = find_register(register)
    if further is not None:
        return register_unit(further).symbol
    ledger = state.ledger
    meter = ledger.meter_index(block.unit_code)[meter_no]
    k = int(ledger.meter_installations[ledger.meter_installation_start[meter]])
    return unit_of(int(ledger.installations.unit[k])).symbol


def refusals_of(
    state: "PartitionState",
    blocks: Sequence[Block],
    reason: RejectReason,
    block: NDArray[np.integer],
    row: NDArray[np.integer],
) -> list[Refusal]:
    """One refusal for each message that has readings refused for `reason`.

    Parameters
    ----------
    block, row : (n,) int
        The readings, by block of the batch and row of the block.
    """
    out = []
    for i in np.unique(block).tolist():
        rows = np.sort(row[block == i]).astype(np.int64)
        messages = blocks[i].message[rows]
        by_message = np.argsort(messages, kind="stable")
        cuts = np.flatnonzero(np.diff(messages[by_message])) + 1
        for mine in np.split(rows[by_message], cuts):
            first = int(mine[0])
            required, got = _words(state, blocks[i], first, reason)
            more = f" (and {len(mine) - 1} more of this message)" if len(mine) > 1 else ""
            message = int(blocks[i].message[first])
            out.append(Refusal(block=i, message=message, rows=mine, reason=reason, required=required, got=got + more))
    return out
