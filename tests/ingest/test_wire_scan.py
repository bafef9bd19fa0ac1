"""The compiled scanner beside the careful way: what it takes, it takes alike; what it should take, it takes."""

import json
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import _kernel
from ingest.wire import Block, Fault
from ingest.wire_json import _JsonBatch
from ingest.wire_scan import Texts, _nothing, scanned
from tests.ingest.wire_messages import SHANGHAI, T0, any_messages, decode, message, reading, rows

AT = 1_795_220_100_000_000  # 2026-11-21T08:15:00+08:00 [us]


def taken(*values: bytes, zone: ZoneInfo = SHANGHAI) -> list[bool]:
    received_at = np.full(len(values), T0)
    found = scanned(Texts.of(values), np.arange(len(values), dtype=np.int32), received_at, zone)
    return [bool(one) for one in found.taken]


def with_care(values: Sequence[bytes]) -> tuple[list[Block], list[Fault]]:
    """Decoded without the scanner."""
    batch = _JsonBatch(values, np.array([T0 + i for i in range(len(values))]), SHANGHAI)
    for i in range(len(values)):
        batch.add(i)
    return batch.finish(_nothing(len(values)))


def said(found: list[Block]) -> list[tuple[object, ...]]:
    return sorted(
        (int(i), int(p), *map(str, row))
        for block in found
        for i, p, row in zip(block.message, block.position, rows(block), strict=True)
    )


USUAL = {
    "one": message(),
    "spaced": json.dumps(reading(), indent=2).encode(),
    "other order": json.dumps(dict(reversed(reading().items()))).encode(),
    "more members": message(note="x", n=1.5, ok=True, no=False, nothing=None),
    "all members": message(register="reverse", quality=17, received_at="2026-11-21T08:15:02Z"),
    "nulls": message(register=None, quality=None, received_at=None),
    "Chinese": json.dumps(reading(meter_no="一号表", unit="m³"), ensure_ascii=False).encode(),
    "local time": message(measured_at="2026-11-21 08:15:00"),
    "fraction": message(measured_at="2026-11-21T08:15:00.123456+08:00"),
    "negative": message(value=-1.25),
    "whole": message(value=123456789012345),
    "repeated": message()[:-1] + b',"value":2}',
    "array": json.dumps([reading(), reading(meter_no="M-2")]).encode(),
    "empty array": b" [ ] ",
    "envelope": json.dumps({"unit_code": "9111", "readings": [reading(unit_code=...), reading()]}).encode(),
    "empty envelope": b'{"unit_code":"9111","readings":[]}',
}


@pytest.mark.parametrize("one", USUAL.values(), ids=USUAL)
def test_usual_messages_are_taken_and_say_the_same(one: bytes) -> None:
    assert taken(one) == [True]
    found, faults = decode(one)
    careful, careful_faults = with_care([one])
    assert (faults, careful_faults) == ([], [])
    assert said(found) == said(careful)


LEFT = {
    "escape": message(meter_no='a"b'),
    "escaped unit": message(unit="m³"),  # as json.dumps writes it
    "exponent": message(value=1e300),
    "more digits than are exact": message(value=0.9876543210987654),
    "deep": message(more=[1]),
    "time without seconds": message(measured_at="2026-11-21T08:15Z"),
    "time before 1970": message(measured_at="1969-12-31T00:00:00Z"),
    "local received_at": message(received_at="2026-11-21T08:15:00"),
    "envelope that says its unit last": b'{"readings":[' + message() + b'],"unit_code":"9111"}',
    "byte order mark": b"\xef\xbb\xbf" + message(),
}


@pytest.mark.parametrize("one", LEFT.values(), ids=LEFT)
def test_unusual_but_sound_messages_are_left_and_read_all_the_same(one: bytes) -> None:
    assert taken(one) == [False]
    found, faults = decode(message(meter_no="before"), one, message(meter_no="after"))
    assert not faults
    assert sum(map(len, found)) == 3
    assert [block.message.tolist() for block in found] == [[0, 1, 2]]


number = st.from_regex(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?", fullmatch=True) | st.floats(
    allow_nan=False, allow_infinity=False
).map(repr)


@given(st.lists(number, min_size=1, max_size=20))
def test_every_number_is_the_nearest_float(texts: list[str]) -> None:
    sent = [message(value="@").replace(b'"@"', text.encode()) for text in texts]
    found, faults = decode(*sent)
    refused = {fault.message for fault in faults}
    values = {int(i): v for block in found for i, v in zip(block.message, block.value, strict=True)}
    for i, text in enumerate(texts):
        assert (i in refused) == (not np.isfinite(float(text)))
        assert i in refused or np.float64(values[i]).tobytes() == np.float64(text).tobytes()


@given(st.lists(any_messages().filter(lambda sent: sent[:1] != b"\x9b"), min_size=1, max_size=6))
@settings(max_examples=200)
def test_scanner_and_care_agree_on_anything(messages: list[bytes]) -> None:
    left = [one for one in messages if one[:1] not in {bytes([mark]) for mark in range(0x90, 0xA0)}]
    found, faults = decode(*left)
    careful, careful_faults = with_care(left)
    assert said(found) == said(careful)
    assert faults == careful_faults


marks = ["{", "}", "[", "]", ",", ":", " ", '"', "\\", "null", "true", "fals", "1", "-", ".", "0", "\x1f", "é"]
members = ['"unit_code":"9111"', '"meter_no":"M-1"', '"measured_at":"2026-11-21T08:15:00Z"', '"value":1.5', '"x":']
more = ['"unit":"kWh"', '"readings":[', '"register":"r"', '"quality":3', '"received_at":"2026-11-21T08:15:00Z"']
pieces = st.sampled_from([*marks, *members, *more])
sound = '"unit_code":"9111","meter_no":"M-1","measured_at":"2026-11-21T08:15:00Z","value":1.5,"unit":"kWh"'


@given(st.lists(st.lists(pieces, max_size=4).map("".join), min_size=4, max_size=4), st.booleans())
@settings(max_examples=300)
def test_scanner_and_care_agree_where_a_sound_message_is_broken_up(breaks: list[str], listed: bool) -> None:
    text = f"{breaks[0]}{{{breaks[1]}{sound}{breaks[2]}}}{breaks[3]}"
    one = (f"[{text},{{{sound}}}]" if listed else text).encode()
    found, faults = decode(one)
    careful, careful_faults = with_care([one])
    assert said(found) == said(careful)
    assert faults == careful_faults


def test_message_that_breaks_off_late_leaves_nothing_of_itself() -> None:
    whole = b"[" + b",".join(message(meter_no=f"M-{i}") for i in range(50)) + b"]"
    for cut in range(1, len(whole), 37):
        assert taken(whole[:cut]) == [False]
    found, _ = decode(message(meter_no="before"), whole[:-1], message(meter_no="after"))
    assert [row[1] for block in found for row in rows(block)] == ["before", "after"]


def test_many_messages_that_break_off_late_find_room() -> None:
    broken = b"[" + b",".join(message(meter_no=f"M-{i}") for i in range(50))
    found, faults = decode(*([broken] * 200 + [message()]))
    assert (sum(map(len, found)), len(faults)) == (1, 200)


def test_names_that_share_their_beginning_or_register_are_told_apart() -> None:
    names = ["M", "MM", "M" * 8, "M" * 9, "M" * 16, "M" * 17, "M" * 15 + "N", "一" * 3]
    sent = [
        message(unit_code=code, meter_no=name, register=register)
        for code in ("A", "B")
        for name in names
        for register in (None, "r", "rr", "M")
    ]
    raw = [json.dumps(json.loads(one), ensure_ascii=False).encode() for one in sent]
    assert all(taken(*raw))
    found, _ = decode(*raw)
    assert [(b.unit_code, len(b.meters), len(set(b.meters.names))) for b in found] == [("A", 32, 32), ("B", 32, 32)]
    got = [row[1] for block in found for row in rows(block)]
    assert got[:32] == [name + (f"\x1f{r}" if r else "") for name in names for r in (None, "r", "rr", "M")]


def test_text_that_is_not_utf_8_is_left_to_care() -> None:
    assert taken(message(), message(meter_no="@").replace(b"@", b"\xff")) == [False, False]


def test_padding_is_as_long_as_what_is_looked_at_together() -> None:
    assert _kernel.PADDING >= 8
    assert Texts.of([b"a", b""]).joined == b"a" + bytes(_kernel.PADDING)
