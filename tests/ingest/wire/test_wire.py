import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ingest.wire
from analytics.domain.quality import RejectReason
from ingest.wire import (
    CONTENT_TYPE,
    CONTENT_TYPE_BLOCK,
    CONTENT_TYPE_JSON,
    RECEIVED_AT,
    Headers,
    MeterList,
    shown,
)
from tests.ingest.wire.messages import T0, any_messages, block_message, decode, message, reading, rows, total


def test_everything_that_is_public_is_there() -> None:
    assert all(hasattr(ingest.wire, name) for name in ingest.wire.__all__)


def test_nothing_gives_nothing() -> None:
    assert decode() == ([], [])


def test_tombstone_is_a_fault() -> None:
    found, (fault,) = decode(message(), None, message())
    assert sum(map(len, found)) == 2
    assert (fault.message, fault.position, fault.reason, fault.payload) == (1, -1, RejectReason.MALFORMED, b"")


def test_formats_may_be_mixed() -> None:
    array = json.dumps([reading(), reading()]).encode()
    found, faults = decode(message(), block_message(3), b"?", array, block_message(4, "9112"), None, message())
    assert (sum(map(len, found)), [f.message for f in faults]) == (11, [2, 5])


def test_blocks_of_a_unit_are_in_the_order_of_the_records() -> None:
    sent = [message(value=0), message(value=1), block_message(1), message(value=3), message(value=4), block_message(1)]
    found, _ = decode(*sent, message(unit_code="other"), message(value=7))
    of_unit = [block for block in found if block.unit_code == "9111"]
    assert [block.message.tolist() for block in of_unit] == [[0, 1], [2], [3, 4], [5], [7]]


def test_json_of_units_without_blocks_between_is_not_cut() -> None:
    found, _ = decode(message(), block_message(1, "other"), message())
    assert [len(block) for block in found] == [2, 1]


@pytest.mark.parametrize(
    ("headers", "block"),
    [
        ([(CONTENT_TYPE, CONTENT_TYPE_BLOCK.encode())], True),
        ([("other", b"x"), (CONTENT_TYPE, CONTENT_TYPE_JSON.encode())], False),
        ([(CONTENT_TYPE, b"Application/JSON; charset=utf-8")], False),
        ([(CONTENT_TYPE, b"text/plain")], True),  # not known: the first byte tells
        ([(CONTENT_TYPE, None)], True),
        ([], True),
        (None, True),
    ],
)
def test_content_type_tells_the_format_and_the_first_byte_where_it_is_missing(
    headers: Headers | None, block: bool
) -> None:
    found, faults = decode(block_message(), headers=[headers])
    assert (len(found), len(faults)) == ((1, 0) if block else (0, 1))


def test_json_that_is_called_a_block_is_a_fault() -> None:
    found, (fault,) = decode(message(), message(), headers=[[(CONTENT_TYPE, CONTENT_TYPE_BLOCK.encode())], None])
    assert ([block.message.tolist() for block in found], fault.message) == ([[1]], 0)


def test_received_at_is_what_the_reading_says_then_the_header_then_kafka() -> None:
    header = [(RECEIVED_AT, b"5")]
    odd = [(RECEIVED_AT, b"soon")]
    sent = [message(received_at="1970-01-01T00:00:00.000003Z"), message(), message(), message()]
    (block,), _ = decode(*sent, headers=[header, header, None, odd])
    assert block.received_at.tolist() == [3, 5, T0 + 2, T0 + 3]
    (said, silent), _ = decode(block_message(1, received_at=7), block_message(1), headers=[header, header])
    assert (said.received_at.tolist(), silent.received_at.tolist()) == ([7], [5])


@pytest.mark.parametrize(("sent", "readings"), [(message(note="x" * 2000), 1), (block_message(500), 500)])
@pytest.mark.parametrize("headers", [None, [[(RECEIVED_AT, b"5")]]])
def test_message_that_is_too_large_is_one_fault_and_is_not_decoded(
    sent: bytes, readings: int, headers: list[Headers | None] | None
) -> None:
    nothing, (fault,) = decode(sent, headers=headers, max_bytes=2000)
    assert not nothing
    assert (fault.reason, fault.position, fault.readings) == (RejectReason.TOO_LARGE, -1, readings)
    assert (fault.required, fault.got) == ("at most 2000 bytes", f"{len(sent)} bytes")
    assert fault.payload == sent


def test_message_of_50_megabytes_is_refused_at_once() -> None:
    sent = b"[" + message() + b" " * 50_000_000 + b"]"
    found, faults = decode(sent, None, message(), max_bytes=2**20)
    assert ([block.message.tolist() for block in found], [f.message for f in faults]) == ([[2]], [0, 1])


@given(st.lists(any_messages() | st.none(), max_size=8), st.data())
@settings(max_examples=150)
def test_any_bytes_give_readings_or_faults(messages: list[bytes | None], data: st.DataObject) -> None:
    kinds = st.sampled_from([None, CONTENT_TYPE_BLOCK.encode(), CONTENT_TYPE_JSON.encode(), b"\xff"])
    headers = data.draw(
        st.none() | st.lists(kinds.map(lambda k: [(CONTENT_TYPE, k)]), min_size=len(messages), max_size=len(messages))
    )
    found, faults = decode(*messages, headers=headers)
    for block in found:
        assert np.isfinite(block.value).all()
        assert int(block.meter.max()) < len(block.meters)
        assert int(block.unit.max()) < len(block.units) <= 256
        assert (
            len({len(getattr(block, name)) for name in ("meter", "measured_at", "value", "unit", "received_at")}) == 1
        )
        assert [names.count("\x00") for names in (block.unit_code, *block.units)] == [0] * (1 + len(block.units))
    for fault in faults:
        assert fault.readings >= 1
        assert fault.required.isprintable()
        assert fault.got.isprintable()
        assert fault.got
        assert fault.unit_code is not None
    accounted = {i for block in found for i in block.message.tolist()} | {fault.message for fault in faults}
    empty = {i for i, m in enumerate(messages) if m is not None and i not in accounted}
    assert all(_holds_no_reading(messages[i] or b"") for i in empty)


def _holds_no_reading(sent: bytes) -> bool:
    """Whether a message is an empty array, envelope or block."""
    return decode(sent) == ([], [])


@given(st.lists(any_messages(), min_size=1, max_size=6))
@settings(max_examples=80)
def test_messages_together_say_what_each_says_alone(messages: list[bytes]) -> None:
    found, faults = decode(*messages)
    alone = [decode(sent) for sent in messages]
    together = sorted(
        (int(i), int(p), *map(str, row[:5]))
        for block in found
        for i, p, row in zip(block.message, block.position, rows(block), strict=True)
    )
    assert together == sorted(
        (i, int(p), *map(str, row[:5]))
        for i, (blocks, _) in enumerate(alone)
        for block in blocks
        for p, row in zip(block.position, rows(block), strict=True)
    )
    assert [(f.message, f.reason, f.readings, f.payload) for f in faults] == [
        (i, f.reason, f.readings, f.payload) for i, (_, of_one) in enumerate(alone) for f in of_one
    ]
    assert total(found, faults) == sum(total(*one) for one in alone)


@given(any_messages())
@settings(max_examples=150)
def test_payload_of_a_fault_stands_for_as_many_readings_and_is_refused_again(sent: bytes) -> None:
    _, faults = decode(sent)
    for fault in faults:
        if b'"readings"' in fault.payload:
            continue  # an envelope among the elements of an array is refused there, but is a message of its own
        accepted, again = decode(fault.payload)
        assert total(accepted, again) == fault.readings
        assert [(f.reason, f.payload) for f in again] == [(fault.reason, fault.payload)]


def test_text_for_people_is_printable_and_short() -> None:
    assert shown("a\nb\u2028" + "x" * 100) == "a\\nb\\u2028" + "x" * 69 + "…"
    assert shown(b"\xff\x00" * 1000, 10).isprintable()


def test_meter_lists_are_equal_by_their_bytes() -> None:
    one, same, other = MeterList.of(["a", "b"]), MeterList(b"a\0b"), MeterList.of(["ab"])
    assert (one, hash(one)) == (same, hash(same))
    assert one not in (other, "ab")
    assert (len(MeterList(b"")), MeterList(b"").names) == (0, ())
