import resource
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.quality import ReadingFlag, RejectReason
from ingest.wire import MeterList, encode_block, encode_rows
from tests.ingest.wire.messages import T0, block_message, blocks, decode, rows, total


@given(blocks())
def test_what_is_encoded_is_decoded(sent: tuple[str, dict[str, Any]]) -> None:
    unit_code, columns = sent
    (block,), faults = decode(encode_block(unit_code, **columns))
    n = len(columns["value"])
    assert not faults
    assert (block.unit_code, block.meters, block.units) == (unit_code, columns["meters"], tuple(columns["units"]))
    assert block.meter.tolist() == columns["meter"].tolist()
    assert block.measured_at.tolist() == columns["measured_at"].tolist()
    assert block.value.tobytes() == columns["value"].tobytes()  # to the last bit, -0.0 too
    assert block.unit.tolist() == ([0] * n if columns["unit"] is None else columns["unit"].tolist())
    received_at = T0 if columns["received_at"] is None else columns["received_at"]
    assert block.received_at.tolist() == np.broadcast_to(received_at, n).tolist()
    assert block.quality.tolist() == ([0] * n if columns["quality"] is None else columns["quality"].tolist())
    assert block.message.tolist() == [0] * n
    assert block.position.tolist() == list(range(n))


@given(blocks(), st.data())
def test_some_rows_encoded_again_say_the_same(sent: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    (block,), _ = decode(encode_block(sent[0], **sent[1]))
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(block), max_size=len(block))))
    again, faults = decode(encode_rows(block, kept))
    assert not faults
    assert [row for part in again for row in rows(part)] == [row for row, k in zip(rows(block), kept, strict=True) if k]


def test_columns_have_the_types_that_kernels_are_compiled_for() -> None:
    (block,), _ = decode(block_message())
    columns = ("meter", "measured_at", "value", "unit", "received_at", "quality", "message", "position")
    dtypes = [getattr(block, name).dtype.str for name in columns]
    assert dtypes == ["<u2", "<i8", "<f8", "|u1", "<i8", "<i2", "<i4", "<i4"]


def test_block_of_more_meters_than_16_bits_can_count() -> None:
    names = MeterList.of([str(i) for i in range(70_000)])
    n = len(names)
    (block,), faults = decode(block_message(n, meters=names, meter=np.arange(n)))
    assert not faults
    assert block.meter.tolist() == list(range(n))
    assert block.position.tolist() == list(range(n))


def test_values_that_are_no_numbers_are_refused_and_the_others_kept() -> None:
    value = np.array([1.0, np.nan, 2.0, np.inf, -np.inf])
    (block,), (fault,) = decode(block_message(5, value=value))
    assert block.value.tolist() == [1.0, 2.0]
    assert block.position.tolist() == [0, 2]
    assert (fault.reason, fault.readings, fault.position) == (RejectReason.NOT_A_NUMBER, 3, 1)
    assert (fault.required, fault.got, fault.unit_code) == ("a finite number", "nan", "9111")
    nothing, (again,) = decode(fault.payload)
    assert not nothing
    assert (again.readings, again.payload) == (3, fault.payload)


def test_block_with_nothing_but_values_that_are_no_numbers_is_one_fault() -> None:
    nothing, (fault,) = decode(block_message(4, value=np.full(4, np.nan)))
    assert not nothing
    assert fault.readings == 4


@pytest.mark.parametrize("n", [3, 5000])  # two ways of looking for them
def test_huge_but_finite_values_are_kept(n: int) -> None:
    (block,), faults = decode(block_message(n, value=np.full(n, np.finfo(float).max)))
    assert (len(block), faults) == (n, [])


def test_empty_block_is_neither_reading_nor_fault() -> None:
    assert decode(block_message(0)) == ([], [])


def test_quality_keeps_what_a_sender_may_say_and_no_more() -> None:
    (block,), _ = decode(block_message(2, quality=np.array([0x0119, 0x0F00])))
    assert block.quality.tolist() == [0x19 | ReadingFlag.ZONE_ASSUMED, ReadingFlag.ZONE_ASSUMED]


def test_equal_dictionaries_are_decoded_once() -> None:
    one, two = (decode(block_message())[0][0] for _ in range(2))
    assert one.meters is two.meters


@pytest.mark.parametrize("n", [1, 100, 300, 70_000])
def test_every_truncation_is_one_fault_that_counts_what_its_bytes_can_hold(n: int) -> None:
    whole = block_message(n)
    for length in {7, 20, min(116, len(whole) - 1), len(whole) // 2, len(whole) - 1}:
        nothing, (fault,) = decode(whole[:length])
        assert not nothing
        assert (fault.reason, fault.readings) == (RejectReason.MALFORMED, max(min(n, length // 18), 1))
        assert fault.payload == whole[:length]


def raw(*fields: object) -> bytes:
    return msgspec.msgpack.encode(fields)


I2, I8 = b"\0" * 4, b"\0" * 16  # for two readings
SPOILT = {
    "no array": raw()[:0] + b"\x91",
    "other version": raw(2, 2, "u", b"M", I2, I8, I8, b"kWh"),
    "negative count": raw(1, -2, "u", b"M", I2, I8, I8, b"kWh"),
    "count beyond the limit": raw(1, 2**40, "u", b"M", I2, I8, I8, b"kWh"),
    "too few times": raw(1, 2, "u", b"M", I2, I8[:8], I8, b"kWh"),
    "too few values": raw(1, 2, "u", b"M", I2, I8, I8[1:], b"kWh"),
    "too few meters": raw(1, 2, "u", b"M", I2[:3], I8, I8, b"kWh"),
    "meter outside": raw(1, 2, "u", b"M", b"\0\0\1\0", I8, I8, b"kWh"),
    "wide meter outside": raw(1, 2, "u", b"M", b"\0\0\0\0\xff\xff\xff\xff", I8, I8, b"kWh"),
    "no names": raw(1, 2, "u", b"", I2, I8, I8, b"kWh"),
    "names not in UTF-8": raw(1, 2, "u", b"\xff", I2, I8, I8, b"kWh"),
    "units not in UTF-8": raw(1, 2, "u", b"M", I2, I8, I8, b"\xff"),
    "too many units": raw(1, 2, "u", b"M", I2, I8, I8, b"\0" * 256),
    "unit outside": raw(1, 2, "u", b"M", I2, I8, I8, b"kWh", b"\0\1"),
    "too few units": raw(1, 2, "u", b"M", I2, I8, I8, b"kWh", b"\0"),
    "odd received_at": raw(1, 2, "u", b"M", I2, I8, I8, b"kWh", b"", b"\0" * 9),
    "odd quality": raw(1, 2, "u", b"M", I2, I8, I8, b"kWh", b"", b"", b"\0"),
    "text for bytes": raw(1, 2, "u", "M", I2, I8, I8, b"kWh"),
    "list for bytes": raw(1, 2, "u", [b"M"], I2, I8, I8, b"kWh"),
    "number for text": raw(1, 2, 7, b"M", I2, I8, I8, b"kWh"),
    "true for a count": raw(1, True, "u", b"M", I2, I8, I8, b"kWh"),
    "bytes behind": raw(1, 2, "u", b"M", I2, I8, I8, b"kWh") + b"\0",
    "deep nesting": b"\x91" * 100_000,
}


@pytest.mark.parametrize("message", SPOILT.values(), ids=SPOILT)
def test_block_that_does_not_hold_together_is_one_fault(message: bytes) -> None:
    nothing, (fault,) = decode(message)
    assert not nothing
    assert fault.reason is RejectReason.MALFORMED
    assert (fault.position, fault.payload) == (-1, message)
    assert fault.required
    assert fault.got


def test_later_versions_may_say_more() -> None:
    blocks_, faults = decode(raw(1, 2, "u", b"M", I2, I8, I8, b"kWh", b"", b"", b"", "news", {"more": 1}))
    assert (total(blocks_, faults), faults) == (2, [])


@pytest.mark.parametrize("head", [b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff", b"\x9b\x01\xce\xff\xff\xff\xff"])
@pytest.mark.parametrize("tail", [b"", b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xffx"])
def test_small_message_that_claims_huge_lengths_takes_no_memory(head: bytes, tail: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    nothing, faults = decode(head + tail, head + b"\x01\x01\xa1u" + tail)
    assert not nothing
    assert [fault.readings for fault in faults] == [1, 1]  # more than a message can hold is not believed
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert more < 200_000, "KiB; what is claimed are gigabytes, and other threads of this process need some"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"meter": np.array([0, 1, 2])}, "meter must be in"),
        ({"meter": np.array([0, -1, 1])}, "meter must be in"),
        ({"unit": np.array([0, 1, 2])}, "unit must be in"),
        ({"measured_at": np.zeros(2, np.int64)}, "3 rows"),
        ({"received_at": np.zeros(1, np.int64)}, "3 rows"),
        ({"units": []}, "1 to 256 units"),
        ({"units": ["k\0Wh"]}, "1 to 256 units"),
    ],
)
def test_columns_that_do_not_fit_are_not_sent(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        block_message(**changes)


@pytest.mark.parametrize("names", [[""], ["M-1", ""], ["M\0-1"]])
def test_meter_must_have_a_name_without_the_separator(names: list[str]) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        MeterList.of(names)
