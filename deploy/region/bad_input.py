"""Invalid input: readings that contradict ledger or clock, and malformed messages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from analytics.domain.instants import US_PER_HOUR, US_PER_SECOND
from analytics.domain.quality import RejectReason
from deploy.region.arrivals import Column
from deploy.region.messages import block_message
from deploy.region.model import Delivery, RawMessage, Readings, Region, Unit
from ingest.wire import CONTENT_TYPE_BLOCK, CONTENT_TYPE_JSON

__all__ = ["UNKNOWN_METER", "UNKNOWN_UNIT", "bad_columns", "raw_messages"]

UNKNOWN_METER = "X99-0001"
UNKNOWN_UNIT = "furlong"
_R = RejectReason
_STRANGER = "91999900DEMO999999"
_TAKEN = 30


@dataclass(frozen=True, slots=True)
class _Slip:
    """Readings that a gateway spoils: how many, of what delivery, and what becomes of a sound reading's fields."""

    reason: RejectReason
    delivery: Delivery
    count: int


_SLIPS: tuple[_Slip, ...] = (
    _Slip(_R.UNKNOWN_METER, Delivery.BLOCKS, 40),
    _Slip(_R.UNKNOWN_METER, Delivery.JSON, 12),
    _Slip(_R.UNIT_MISMATCH, Delivery.BLOCKS, 20),
    _Slip(_R.UNIT_MISMATCH, Delivery.ARRAY, 9),
    _Slip(_R.UNKNOWN_UNIT, Delivery.BLOCKS, 10),
    _Slip(_R.NOT_A_NUMBER, Delivery.BLOCKS, 15),
    _Slip(_R.FUTURE, Delivery.BLOCKS, 12),
    _Slip(_R.FUTURE, Delivery.JSON, 7),
    _Slip(_R.TIME_OUT_OF_RANGE, Delivery.BLOCKS, 6),
)


def bad_columns(
    seed: int,
    units: Sequence[Unit],
    columns: Sequence[Column],
    *,
    start_us: int,
    horizon_days: float,
    meter_index: Callable[[str], int],
    unit_index: Callable[[str], int],
) -> list[Column]:
    """Readings beside the sound ones, each to be refused for one reason.

    Parameters
    ----------
    seed : int
        Of the region.
    units : sequence of Unit
        Of the region.
    columns : sequence of Column
        Of sound meters that are read every quarter hour; the bad readings are made of stretches of these.
    start_us, horizon_days
        Span within which they come. [us since 1970-01-01 UTC, d]
    meter_index, unit_index : callables
        Index of a meter number and of a stated unit, new or not.
    """
    rng = np.random.default_rng([seed, 40])
    made: list[Column] = []
    for slip in _SLIPS:
        senders = [u.index for u in units if u.delivery is slip.delivery]
        if not senders and slip.reason is _R.NOT_A_NUMBER:
            continue  # JSON has no way to say NaN
        sender = int(rng.choice(senders or [units[0].index]))
        pool = [c for c in columns if c.unit == sender]
        if not pool:
            continue
        source = pool[int(rng.integers(len(pool)))]
        begin = start_us + round(rng.uniform(0.1, 0.6) * horizon_days * 24) * US_PER_HOUR
        row = int(np.searchsorted(source.received_at, begin))
        taken = slice(row, row + slip.count)
        part = replace(
            source,
            measured_at=source.measured_at[taken].copy(),
            received_at=source.received_at[taken].copy(),
            value=source.value[taken].copy(),
            expected=int(slip.reason),
        )
        if len(part.value):
            made.append(_spoilt(part, slip.reason, meter_index, unit_index))
    return made


def _spoilt(
    part: Column, reason: RejectReason, meter_index: Callable[[str], int], unit_index: Callable[[str], int]
) -> Column:
    if reason is _R.UNKNOWN_METER:
        return replace(part, meter=meter_index(UNKNOWN_METER))
    if reason is _R.UNIT_MISMATCH:
        # no register of a point that counts energy, mass or gas states degrees
        return replace(part, stated=unit_index("°C"))
    if reason is _R.UNKNOWN_UNIT:
        return replace(part, stated=unit_index(UNKNOWN_UNIT))
    if reason is _R.NOT_A_NUMBER:
        return replace(part, value=np.full_like(part.value, np.nan))
    if reason is _R.FUTURE:
        return replace(part, measured_at=part.measured_at + 48 * US_PER_HOUR)
    return replace(part, measured_at=part.measured_at % (24 * US_PER_HOUR))  # a clock that lost its battery


def raw_messages(region: Region, *, horizon_days: float) -> tuple[RawMessage, ...]:
    """Messages that cannot be read, or not wholly, or that are no business of their partition; spread over the span.

    Parameters
    ----------
    region : Region
        Complete but for these.
    horizon_days : float
        They come after a third of it; a region that ends before has none. [d]
    """
    rng = np.random.default_rng([region.seed, 41])
    unit = next((u for u in region.units if u.delivery is Delivery.BLOCKS), region.units[0])
    sound = region.readings.take(np.flatnonzero((region.readings.unit == unit.index) & (region.readings.expected == 0)))
    begin = int(np.searchsorted(sound.received_at, region.start_us + int(horizon_days * 8 * US_PER_HOUR)))
    part = sound.take(slice(begin, begin + _TAKEN))
    if len(part) < _TAKEN:
        return ()  # the region ends before
    at = int(part.received_at[-1])
    whole = block_message(region, unit.code, part)
    stranger = block_message(region, _STRANGER, part.take(slice(0, 25)))
    noise = rng.bytes(97)
    made = [
        (unit.code, whole[: 2 * len(whole) // 3], CONTENT_TYPE_BLOCK, {_R.MALFORMED: len(part)}, 0),
        (unit.code, b"\x93" + noise, CONTENT_TYPE_BLOCK, {_R.MALFORMED: 1}, 0),
        (unit.code, b'{"unit_code": "9199', CONTENT_TYPE_JSON, {_R.MALFORMED: 1}, 0),
        (unit.code, b"\x00\xff\xfe garbage", "", {_R.MALFORMED: 1}, 0),
        (unit.code, b"", "", {_R.MALFORMED: 1}, 0),
        (_STRANGER, stranger, CONTENT_TYPE_BLOCK, {_R.UNKNOWN_UNIT_CODE: 25}, 0),
        _mixed_array(region, unit, part),
    ]
    wrong = RawMessage(
        key=unit.code,
        value=block_message(region, unit.code, part.take(slice(0, 10))),
        content_type=CONTENT_TYPE_BLOCK,
        received_at=at + 60 * US_PER_SECOND,
        expected=((_R.WRONG_PARTITION, 10),),
        wrong_partition=True,
    )
    return (
        *(
            RawMessage(
                key=key,
                value=value,
                content_type=kind,
                received_at=at + place * US_PER_SECOND,
                expected=tuple(expected.items()),
                accepted=accepted,
            )
            for place, (key, value, kind, expected, accepted) in enumerate(made)
        ),
        wrong,
    )


def _mixed_array(region: Region, unit: Unit, part: Readings) -> tuple[str, bytes, str, dict[RejectReason, int], int]:
    """An array in which every element is bad in another way."""
    sound = {
        "unit_code": unit.code,
        "meter_no": region.meter_nos[int(part.meter[0])],
        "measured_at": str(np.datetime64(int(part.measured_at[0]), "us")) + "Z",
        "value": float(part.value[0]),
        "unit": region.stated_units[int(part.stated[0])],
    }
    elements = [
        sound | {"value": "abc"},
        sound | {"value": None},
        sound | {"measured_at": "noon"},
        sound | {"measured_at": "2026-13-45T25:61:00+08:00"},
        {name: field for name, field in sound.items() if name != "meter_no"},
    ]
    expected = {_R.NOT_A_NUMBER: 2, _R.BAD_TIME: 2, _R.MISSING_FIELD: 1}
    return unit.code, msgspec.json.encode(elements), CONTENT_TYPE_JSON, expected, 0
