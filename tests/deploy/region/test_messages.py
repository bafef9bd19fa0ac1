"""The region's messages hold every reading once, in its unit's order, and decode to what was put in."""

from collections import Counter
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from analytics.domain.quality import ReadingFlag, RejectReason
from deploy.region import Message, Region, build_region, region_messages
from deploy.region.model import US_PER_QUARTER, Delivery
from ingest.wire import CONTENT_TYPE, RECEIVED_AT, Block, Fault, decode_records

SHANGHAI = ZoneInfo("Asia/Shanghai")
ON_ARRIVAL = {
    RejectReason.MALFORMED,
    RejectReason.NOT_A_NUMBER,
    RejectReason.BAD_TIME,
    RejectReason.MISSING_FIELD,
}
"""Reasons that the message alone tells, without the ledger."""


def _region() -> Region:
    return build_region(11, days=3.0, units=8)


def _decoded(messages: list[Message]) -> tuple[list[Block], list[Fault]]:
    return decode_records(
        [m.value for m in messages],
        headers=[m.headers for m in messages],
        timestamps_us=[m.at for m in messages],
        zone=SHANGHAI,
    )


def test_every_reading_is_sent_once_and_counted() -> None:
    region = _region()
    messages = region_messages(region)
    assert sum(m.readings for m in messages) == region.sent
    blocks, faults = _decoded(messages)
    assert sum(len(b) for b in blocks) + sum(f.readings for f in faults) == region.sent


def test_what_cannot_be_decoded_is_what_was_put_in() -> None:
    region = _region()
    _, faults = _decoded(region_messages(region))
    found: Counter[RejectReason] = Counter()
    for fault in faults:
        found[fault.reason] += fault.readings
    assert found == {reason: n for reason, n in region.rejected.items() if reason in ON_ARRIVAL}


def test_a_unit_decodes_to_its_readings_in_its_order() -> None:
    region = _region()
    blocks, _ = _decoded(region_messages(region))
    extra = {m.key for m in region.raw}
    for unit in region.units:
        if unit.code in extra:
            continue
        mine = [b for b in blocks if b.unit_code == unit.code]
        readings = region.readings.take(np.flatnonzero(region.readings.unit == unit.index))
        readings = readings.take(np.isfinite(readings.value))
        assert [name for b in mine for name in np.array(b.meters.names)[b.meter].tolist()] == [
            region.meter_nos[i] for i in readings.meter.tolist()
        ]
        assert np.array_equal(np.concatenate([b.measured_at for b in mine]), readings.measured_at)
        assert np.array_equal(np.concatenate([b.value for b in mine]), readings.value)
        received = np.concatenate([b.received_at for b in mine])
        assert (received - readings.received_at).min() >= 0
        assert (received - readings.received_at).max() < US_PER_QUARTER
        zone_assumed = np.concatenate([b.quality for b in mine]) & ReadingFlag.ZONE_ASSUMED != 0
        assert (zone_assumed == (unit.delivery is Delivery.ARRAY)).all()


def test_the_three_kinds_of_gateway_send_what_they_should() -> None:
    region = _region()
    kinds: dict[str, set[str]] = {}
    raw = {m.value for m in region.raw}
    for message in region_messages(region):
        if message.value not in raw:
            headers = dict(message.headers)
            kinds.setdefault(message.key, set()).add(headers[CONTENT_TYPE].decode().rpartition(".")[2])
            assert (RECEIVED_AT in headers) == (headers[CONTENT_TYPE] == b"application/json")
    for unit in region.units:
        assert kinds[unit.code] == ({"block"} if unit.delivery is Delivery.BLOCKS else {"application/json"})
    single = next(u for u in region.units if u.delivery is Delivery.JSON)
    assert all(m.readings == 1 for m in region_messages(region) if m.key == single.code)


def test_a_live_gateway_sends_little_blocks_and_leaves_out_what_is_past() -> None:
    region = _region()
    middle = (region.start_us + region.end_us) // 2
    late = region_messages(region, span_us=60_000_000, after_us=middle)
    assert late[0].at >= middle
    assert all(left.at <= right.at for left, right in pairwise(late))
    assert sum(m.readings for m in late) == int((region.readings.received_at >= middle).sum()) + sum(
        m.accepted + sum(n for _, n in m.expected) for m in region.raw if m.received_at >= middle
    )
    assert max(m.readings for m in late) <= 2 * len(region.meter_nos)
