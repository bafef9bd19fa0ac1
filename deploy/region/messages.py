"""The region's readings as Kafka messages, in the order and form in which its gateways send them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR, US_PER_SECOND
from analytics.domain.registers import MAIN
from deploy.region.entries import meter_of_entry
from deploy.region.flows import local_offset_us
from deploy.region.model import Delivery, Readings, Region, Unit
from ingest.wire import CONTENT_TYPE, CONTENT_TYPE_BLOCK, CONTENT_TYPE_JSON, RECEIVED_AT, MeterList, encode_block

__all__ = ["Message", "block_message", "region_messages"]

HISTORY_SPAN_US = 4 * US_PER_HOUR
"""How much a collector that has a month to tell packs into one block."""
_ARRAY_SPAN_US = 300 * US_PER_SECOND


@dataclass(frozen=True, slots=True)
class Message:
    """A Kafka record to send.

    Attributes
    ----------
    at : int
        When its last reading was received: when a live gateway sends it. [us since 1970-01-01 UTC]
    key : str
        The energy-using unit's code.
    readings : int
        Readings in it, 1 where it cannot be read.
    wrong_partition : bool
        Whether to send it beside the partition of its key.
    """

    at: int
    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    readings: int
    wrong_partition: bool = False


def region_messages(region: Region, *, span_us: int = HISTORY_SPAN_US, after_us: int | None = None) -> list[Message]:
    """All messages of a region, by the time at which they are sent; each unit's in its own order.

    Parameters
    ----------
    region : Region
        What to send.
    span_us : int
        How much time one block holds at most. [us]
    after_us : int, optional
        Leave out what was received before. [us since 1970-01-01 UTC]
    """
    made: list[Message] = []
    for unit in region.units:
        low, high = np.searchsorted(region.readings.unit, [unit.index, unit.index + 1]).tolist()
        if after_us is not None:
            low += int(np.searchsorted(region.readings.received_at[low:high], after_us))
        readings = region.readings.take(slice(low, high))
        if unit.delivery is Delivery.BLOCKS:
            made += _blocks(region, unit, readings, span_us)
        else:
            made += _json(region, unit, readings, ZoneInfo(region.zone))
    made += [
        Message(
            raw.received_at,
            raw.key,
            raw.value,
            ((CONTENT_TYPE, raw.content_type.encode()),) if raw.content_type else (),
            raw.accepted + sum(n for _, n in raw.expected),
            raw.wrong_partition,
        )
        for raw in region.raw
        if after_us is None or raw.received_at >= after_us
    ]
    made.sort(key=lambda message: message.at)
    return made


def _register(entry: str) -> dict[str, object]:
    """What a reading says of its register: nothing where it is the main one."""
    register = meter_of_entry(entry)[1]
    return {} if register == MAIN else {"register": register}


def block_message(region: Region, unit_code: str, readings: Readings) -> bytes:
    """Some readings of one unit as a block."""
    meters, meter = np.unique(readings.meter, return_inverse=True)
    units, unit = np.unique(readings.stated, return_inverse=True)
    return encode_block(
        unit_code,
        meters=MeterList.of([region.meter_nos[i] for i in meters.tolist()]),
        meter=meter,
        measured_at=readings.measured_at,
        value=readings.value,
        units=[region.stated_units[i] for i in units.tolist()],
        unit=unit,
        received_at=readings.received_at,
    )


def _cuts(received_at: NDArray[np.int64], span_us: int) -> Iterator[slice]:
    """Slices of readings that were received within the same span."""
    edges = np.flatnonzero(np.diff(received_at // span_us)) + 1
    bounds = [0, *edges.tolist(), len(received_at)]
    return (slice(a, b) for a, b in pairwise(bounds) if b > a)


def _blocks(region: Region, unit: Unit, readings: Readings, span_us: int) -> Iterator[Message]:
    headers = ((CONTENT_TYPE, CONTENT_TYPE_BLOCK.encode()),)
    for cut in _cuts(readings.received_at, span_us):
        part = readings.take(cut)
        yield Message(int(part.received_at[-1]), unit.code, block_message(region, unit.code, part), headers, len(part))


def _json(region: Region, unit: Unit, readings: Readings, zone: ZoneInfo) -> Iterator[Message]:
    """Singles say their offset; arrays leave it out, as gateways do that were set up by hand."""
    single = unit.delivery is Delivery.JSON
    offset = local_offset_us(region.start_us, zone)
    times = np.datetime_as_string((readings.measured_at + offset).view("datetime64[us]"), unit="s")
    suffix = f"{'+' if offset >= 0 else '-'}{abs(offset) // US_PER_HOUR:02d}:00" if single else ""
    rows: Sequence[dict[str, object]] = [
        {
            "unit_code": unit.code,
            "meter_no": meter_of_entry(region.meter_nos[meter])[0],
            "measured_at": f"{time}{suffix}",
            "value": value,
            "unit": region.stated_units[stated],
            **_register(region.meter_nos[meter]),
        }
        for meter, time, value, stated in zip(
            readings.meter.tolist(), times.tolist(), readings.value.tolist(), readings.stated.tolist(), strict=True
        )
    ]
    encode = msgspec.json.Encoder().encode
    kind = (CONTENT_TYPE, CONTENT_TYPE_JSON.encode())
    if single:
        for row, at in zip(rows, readings.received_at.tolist(), strict=True):
            yield Message(at, unit.code, encode(row), (kind, (RECEIVED_AT, b"%d" % at)), 1)
        return
    for cut in _cuts(readings.received_at, _ARRAY_SPAN_US):
        at = int(readings.received_at[cut][-1])
        part = rows[cut]
        yield Message(at, unit.code, encode(part), (kind, (RECEIVED_AT, b"%d" % at)), len(part))
