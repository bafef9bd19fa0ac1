"""What a broker answers to a fetch, read as columns, against aiokafka's own reader of the same bytes."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import cramjam
import pytest
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from crc32c import crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.wire import (
    CONTENT_TYPE,
    CONTENT_TYPE_BLOCK,
    CONTENT_TYPE_JSON,
    RECEIVED_AT,
    Records,
    WrongChecksum,
    decode_fetched,
    records_of,
)
from ingest.wire.codecs import CODECS, CodecError, unpack
from ingest.wire.fetched import EMPTY_BATCH
from ingest.wire.records import UNREADABLE

NONE, GZIP = 0, 1
T0_MS = 1_763_000_000_000


def batch(
    records: Sequence[tuple[bytes | None, bytes | None, Any]],
    *,
    first: int = 0,
    packing: int = NONE,
    control: bool = False,
) -> bytes:
    builder = DefaultRecordBatchBuilder(2, packing, int(control), -1, -1, -1, 2**24)
    for i, (key, value, headers) in enumerate(records):
        assert builder.append(i, T0_MS + 7 * i, key, value, list(headers)) is not None
    data = bytearray(builder.build())
    data[0:8] = first.to_bytes(8, "big")
    return bytes(data)


def one_by_one(data: bytes) -> list[Any]:
    reader = MemoryRecords(data)
    records = []
    while reader.has_next():
        found = reader.next_batch()
        assert found is not None
        if not found.is_control_batch:
            records += list(found)
    return records


def columns(records: Records) -> list[tuple[object, ...]]:
    return [(r.offset, r.timestamp_us, r.value) for r in records]


sizes = st.binary(max_size=300) | st.none()
header_names = st.sampled_from([CONTENT_TYPE, RECEIVED_AT, "other", "内容", ""])
header_values = st.none() | st.sampled_from(
    [
        CONTENT_TYPE_JSON.encode(), CONTENT_TYPE_BLOCK.encode(), b"Application/JSON ; charset=utf-8", b"\x1ctext/plain",
        b"application/jso", b"1763000000000000", b"0", b"-5", b"12x", b"1" * 18, b"1" * 19, b"", b"\xff",
    ]
)  # fmt: skip
header_lists = st.lists(st.tuples(header_names, header_values), max_size=4)
record_lists = st.lists(st.tuples(sizes, sizes, header_lists), min_size=1, max_size=12)


@given(st.lists(st.tuples(record_lists, st.sampled_from([NONE, NONE, GZIP])), min_size=1, max_size=4), st.data())
@settings(max_examples=150)
def test_records_are_those_that_aiokafka_reads(parts: list[tuple[Any, int]], data: st.DataObject) -> None:
    sent, offset, stated = b"", 40, []
    for records, packing in parts:
        sent += batch(records, first=offset, packing=packing)
        offset += len(records)
        stated += [headers for _, _, headers in records]
    wanted = data.draw(st.integers(40, offset - 1))
    cut = data.draw(st.binary(max_size=100))
    read = records_of(sent + EMPTY_BATCH[: min(len(cut), 60)], wanted, check_crcs=True)
    assert read is not None
    records, after, *_ = read
    expected = [record for record in one_by_one(sent) if record.offset >= wanted]
    assert after == offset
    assert columns(records) == [(r.offset, r.timestamp * 1000, r.value) for r in expected]
    by_objects = Records.of(
        [r.value for r in expected],
        timestamps_us=[r.timestamp * 1000 for r in expected],
        headers=stated[wanted - 40 :],
        offsets=[r.offset for r in expected],
    )
    for name in ("offset", "timestamp_us", "received_us", "size", "kind"):
        assert records.rows[name].tolist() == by_objects.rows[name].tolist(), name


@pytest.mark.parametrize("codec", CODECS)
def test_a_packed_batch_is_unpacked_whatever_the_codec(codec: int) -> None:
    records = [(b"U1", b"value %d" % i, [(CONTENT_TYPE, CONTENT_TYPE_JSON.encode())]) for i in range(1000)]
    plain = records_of(batch(records), 0, check_crcs=True)
    packed = records_of(batch(records, packing=codec), 0, check_crcs=True)
    assert plain is not None
    assert packed is not None
    assert columns(plain[0]) == columns(packed[0])
    assert (plain[0].rows["kind"] == 1).all()


def test_control_batches_are_stepped_over() -> None:
    data = bytearray(batch([(b"\x00\x00\x00\x01", b"", [])], first=5))
    data[22] |= 0x20
    read = records_of(bytes(data) + batch([(None, b"x", [])], first=6), 5, check_crcs=False)
    assert read is not None
    assert (columns(read[0]), read[1]) == ([(6, T0_MS * 1000, b"x")], 7)


def test_the_log_s_own_time_counts_where_the_topic_says_so() -> None:
    data = bytearray(batch([(None, b"x", []), (None, b"y", [])]))
    data[22] |= 0x08
    data[35:43] = (T0_MS + 99).to_bytes(8, "big")
    read = records_of(bytes(data), 0, check_crcs=False)
    assert read is not None
    assert [r.timestamp_us for r in read[0]] == [(T0_MS + 99) * 1000] * 2
    assert [r.timestamp for r in one_by_one(bytes(data))] == [T0_MS + 99] * 2


OTHERS = {
    "nothing": b"",
    "half a batch": batch([(None, b"x", [])])[:50],
    "an older format": batch([(None, b"x", [])])[:16] + b"\x01" + batch([(None, b"x", [])])[17:],
    "a length below the head's": bytes(8) + (5).to_bytes(4, "big") + bytes(60),
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
def test_anything_else_is_left_to_aiokafka(data: bytes) -> None:
    assert records_of(data, 0, check_crcs=True) is None


@given(record_lists, st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6), st.data())
@settings(max_examples=300)
def test_spoilt_batches_give_records_within_the_bytes_or_nothing(
    records: Any, changes: list[tuple[int, int]], data: st.DataObject
) -> None:
    spoilt = bytearray(batch(records) + batch(records, first=len(records)))
    for at, byte in changes:
        spoilt[at % len(spoilt)] = byte
    spoilt = spoilt[: data.draw(st.integers(0, len(spoilt)))]
    read = records_of(bytes(spoilt), 0, check_crcs=False)
    if read is None:
        return
    rows = read[0].rows
    assert (rows["size"] >= -1).all()
    assert ((rows["at"] >= 0) & (rows["at"] + rows["size"] <= len(read[0].data))).all()
    if (rows["kind"] == UNREADABLE).any():
        return
    try:
        expected = one_by_one(bytes(spoilt))
    except (KafkaError, UnicodeDecodeError):  # a header's name that is no text stops aiokafka, and not us
        return
    if read.after <= max((r.offset for r in expected), default=-1):  # the head ends before them
        return
    assert [r.value for r in read[0]] == [r.value for r in expected if r.offset >= 0]


def mended(data: bytes, **changes: bytes) -> bytes:
    """A batch with other fields, its checksum made right."""
    out = bytearray(data)
    for name, value in changes.items():
        at = {"attributes": 21, "last": 23, "count": 57, "rest": 61}[name]
        out[at : at + len(value)] = value
    out[17:21] = crc32c(bytes(out[21:])).to_bytes(4, "big")
    return bytes(out)


SOUND = batch([(None, b"a", []), (None, b"b", [])])
BROKEN = {
    "a wrong checksum": (SOUND[:-1] + b"\xff", "wrong checksum", 1),
    "an unknown codec": (mended(SOUND, attributes=b"\0\x07"), "codec 7 is not one of Kafka's", 2),
    "what is no lz4": (mended(SOUND, attributes=b"\0\x03"), "lz4", 2),
    "records that do not fill it": (mended(SOUND, rest=b"\x7f"), "do not hold together", 2),
    "more records than it can hold": (mended(SOUND, count=b"\0\x0f\xff\xff"), "do not hold together", 2),
}


@pytest.mark.parametrize(("broken", "why", "claimed"), BROKEN.values(), ids=BROKEN)
def test_a_batch_that_cannot_be_read_is_refused_with_its_bytes_and_keeps_none_waiting(
    broken: bytes, why: str, claimed: int
) -> None:
    before, after = batch([(None, b"0", [])], first=0), batch([(None, b"9", [])], first=3, packing=GZIP)
    middle = (1).to_bytes(8, "big") + broken[8:]
    read = records_of(before + middle + after, 0, check_crcs=True)
    assert read is not None
    assert [(r.offset, r.value) for r in read.records] == [(0, b"0"), (2, middle), (3, b"9")]
    assert read.after == 4
    blocks, faults = decode_fetched(read.records, zone=ZoneInfo("UTC"))
    fault = next(fault for fault in faults if fault.payload == middle)
    assert not blocks
    assert why in fault.got
    assert (fault.reason.name, fault.readings, fault.whole) == ("MALFORMED", claimed, True)


def test_a_wrong_checksum_is_fetched_again_before_it_counts() -> None:
    with pytest.raises(WrongChecksum):
        records_of(SOUND[:-1] + b"\xff", 0, check_crcs=True, last_try=False)


def test_a_few_bytes_that_unpack_to_very_many_are_refused() -> None:
    bomb = bytes(cramjam.zstd.compress(bytes(2**20), level=3))
    assert len(bomb) < 200
    with pytest.raises(CodecError, match="more than 1000 bytes"):
        unpack(4, bomb, limit=1000)


def of_producer(data: bytes, producer: int, *, control: bool = False) -> bytes:
    out = bytearray(data)
    out[22] |= 0x10 | (0x20 if control else 0)
    out[43:51] = producer.to_bytes(8, "big")
    return bytes(out)


def test_aborted_transactions_are_left_out_and_those_of_others_between_them_are_not() -> None:
    data = (
        of_producer(batch([(None, b"aborted", [])], first=0), 7)
        + of_producer(batch([(None, b"other", [])], first=1), 8)
        + batch([(None, b"plain", [])], first=2)
        + of_producer(batch([(b"\0\0\0\0", b"", [])], first=3), 7, control=True)
        + of_producer(batch([(None, b"later", [])], first=4), 7)
    )
    read = records_of(data, 0, check_crcs=False, aborted=[(7, 0)])
    assert read is not None
    assert [r.value for r in read.records] == [b"other", b"plain", b"later"]
    assert read.after == 5
    only = records_of(data[: len(data) // 5], 0, check_crcs=False, aborted=[(7, 0)])
    assert only is None or len(only.records) == 0


def test_slices_and_joined_parts_keep_their_values() -> None:
    read = records_of(batch([(None, b"%d" % i, []) for i in range(9)]), 0, check_crcs=True)
    assert read is not None
    records = read[0]
    joined = Records.joined([records[:2], Records.of([None, b"z"], timestamps_us=[1, 2]), records[5:]])
    assert [r.value for r in joined] == [b"0", b"1", None, b"z", b"5", b"6", b"7", b"8"]
    assert joined.sizes().tolist() == [1, 1, 0, 1, 1, 1, 1, 1]
    assert not joined.data.flags.writeable, "compiled code is compiled once"
