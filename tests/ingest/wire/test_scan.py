"""Compiled reading of single JSON messages: whatever it takes must be what the parser that reads everything reads.

A blank before a message keeps the compiled reader away from it and changes nothing else, so the two can be compared.
"""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.domain.quality import RejectReason
from ingest.wire import Block, Fault, Names, Records, decode_fetched
from ingest.wire._json_kernel import SCANNED, scan
from ingest.wire.names import Texts
from tests.ingest.wire.messages import SHANGHAI, T0, decode, message, odd_readings, reading, rows, total

CANONICAL = b'{"unit_code":"9111","meter_no":"M-1","measured_at":"2026-11-21T08:15:00+08:00","value":1.5,"unit":"kWh"}'


def scanned(*messages: bytes, guard: bytes = b"") -> Any:
    """What the compiled reader alone makes of messages; `guard` stands around each."""
    names = Names()
    data = guard + guard.join(messages) + guard
    size = np.array([len(one) for one in messages])
    at = np.cumsum([0, *size[:-1]]) + len(guard) * (1 + np.arange(len(messages)))
    out = np.zeros(len(messages), SCANNED)
    text = np.frombuffer(data, np.uint8)
    assert scan(text, at, size, 0, names.scanned_pairs.table, names.scanned_units.table, out) == len(messages)
    return out


def taken(*messages: bytes) -> list[bool]:
    return [pair >= 0 for pair in scanned(*messages)["pair"].tolist()]


def said(blocks: Sequence[Block], faults: Sequence[Fault]) -> tuple[object, ...]:
    """Everything a batch gave, whatever the dictionaries; times of receipt of odd records are theirs in both."""
    of_rows = sorted(
        (int(m), int(p), row)
        for block in blocks
        for m, p, row in zip(block.message, block.position, map(repr, rows(block)), strict=True)
    )
    refused = [
        (f.message, f.position, f.reason, f.required, f.payload.strip(), f.readings, f.unit_code) for f in faults
    ]
    return of_rows, refused, [(block.unit_code, block.message.tolist()) for block in blocks]


def same_both_ways(*messages: bytes) -> None:
    assert said(*decode(*messages)) == said(*decode(*(b" " + one for one in messages)))


TAKEN = {
    "as msgspec writes it": CANONICAL,
    "as Python writes it": message(),
    "blanks everywhere": CANONICAL.replace(b":", b"\t: ", 1).replace(b",", b" ,\r\n").replace(b"}", b" }\n "),
    "another order": b'{"value":7,"unit":"kWh","measured_at":"2026-11-21T08:15:00Z","meter_no":"M","unit_code":"9111"}',
    "register": message(register="reverse"),
    "main register": message(register="main"),
    "nulls": message(register=None, quality=None, received_at=None),
    "quality": message(quality=511),
    "received": message(received_at="2026-11-21T08:15:02.25+08:00"),
    "no offset": message(measured_at="2026-11-21 08:15:00"),
    "text beyond ASCII": json.dumps(reading(meter_no="电表一号"), ensure_ascii=False).encode(),
    "nineteen digits": CANONICAL.replace(b"1.5", b"1234567.890123456789"),
    "negative": message(value=-0.25),
}
LEFT_ALONE = {
    "exponent": message(value=1e300),
    "negative zero": message(value=-0.0),
    "escape": message(meter_no='M"1'),
    "unknown member": message(serial=1),
    "repeated member": CANONICAL[:-1] + b',"value":2}',
    "something behind": CANONICAL + b"x",
    "member missing": message(unit=...),
    "empty text": message(meter_no=""),
    "leading zero": CANONICAL.replace(b"1.5", b"01.5"),
    "no digits behind the point": CANONICAL.replace(b"1.5", b"1."),
    "comma at the end": CANONICAL[:-1] + b",}",
    "a control character": CANONICAL.replace(b"M-1", b"M\x1f1"),
    "no such day": message(measured_at="2026-02-29T00:00:00Z"),
    "far year": message(measured_at="2200-01-01T00:00:00Z"),
    "hour 24": message(measured_at="2026-02-28T24:00:00Z"),
    "quality too large": message(quality=512),
    "long text": message(meter_no="M" * 256),
    "array": b"[" + CANONICAL + b"]",
    "nothing": b"",
}


@pytest.mark.parametrize("sent", TAKEN.values(), ids=TAKEN)
def test_what_is_usual_is_taken_and_is_right(sent: bytes) -> None:
    assert taken(sent) == [True]
    same_both_ways(sent)


@pytest.mark.parametrize("sent", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_what_is_not_usual_is_left_to_the_parser(sent: bytes) -> None:
    assert taken(sent) == [False]
    same_both_ways(sent)


def test_text_that_is_no_utf8_is_refused_with_its_bytes() -> None:
    bad = CANONICAL.replace(b"M-1", b"M\xff1")
    found, faults = decode(CANONICAL, bad, bad, CANONICAL)
    assert [block.message.tolist() for block in found] == [[0, 3]]
    assert [(f.message, f.reason, f.payload) for f in faults] == [
        (1, RejectReason.MISSING_FIELD, bad),
        (2, RejectReason.MISSING_FIELD, bad),
    ]
    same_both_ways(CANONICAL, bad)


@st.composite
def near(draw: st.DrawFn) -> bytes:
    """A message near the usual form: members in any order, any blanks, odd ones among them, bytes spoilt."""
    members = list(draw(odd_readings()).items())
    members = draw(st.permutations(members))
    blank = st.sampled_from(["", "", "", " ", "\n", "\t "])
    ascii_only = draw(st.booleans())
    parts = [
        f"{draw(blank)}{json.dumps(name)}{draw(blank)}:{draw(blank)}{json.dumps(value, ensure_ascii=ascii_only)}"
        for name, value in members
    ]
    text = bytearray(("{" + ",".join(parts) + draw(blank) + "}").encode("utf-8", "surrogatepass"))
    odd = st.sampled_from(list(b'{}[]",:.-+0123456789eEZT \\\x00\x1f\x7f\x80\xff'))
    for at, byte in draw(st.lists(st.tuples(st.integers(0, len(text)), odd), max_size=2)):
        text[at : at + draw(st.integers(0, 1))] = bytes([byte])
    return bytes(text[: draw(st.integers(0, len(text)))]) if draw(st.integers(0, 9)) == 0 else bytes(text)


@given(st.lists(near() | st.just(CANONICAL), min_size=1, max_size=6))
@settings(max_examples=400)
def test_any_bytes_give_what_the_parser_gives(messages: list[bytes]) -> None:
    same_both_ways(*messages)


@given(near(), st.binary(min_size=8, max_size=24), st.binary(min_size=8, max_size=24))
@settings(max_examples=200)
def test_bytes_around_a_message_are_not_looked_at(sent: bytes, one: bytes, other: bytes) -> None:
    first, second = scanned(sent, guard=one), scanned(sent, guard=other)
    assert (first["pair"] == second["pair"]).all()
    if first["pair"][0] >= 0:
        assert first.tobytes() == second.tobytes()


numbers = (
    st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.decimals(allow_nan=False, allow_infinity=False, places=9).map(str)
    | st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?", fullmatch=True)
    | st.integers(2**52, 2**64).flatmap(lambda i: st.integers(0, 18).map(lambda k: f"{i // 10**k}.{i % 10**k:0{k}d}"))
)


@given(st.lists(numbers, min_size=1, max_size=20))
@settings(max_examples=300)
def test_a_number_is_the_double_nearest_to_it(texts: list[str]) -> None:
    messages = [CANONICAL.replace(b"1.5", text.encode()) for text in texts]
    out = scanned(*messages)
    for text, value, pair in zip(texts, out["value"].tolist(), out["pair"].tolist(), strict=True):
        if pair >= 0:
            assert value == float(text)
            assert str(value)[0] == str(float(text))[0]
    same_both_ways(*messages)


@pytest.mark.parametrize(
    "text",
    ["9007199254740993", "9007199254740992.5", "4503599627370497.5", "1000.0166666666667", "0.1", "18014398509481985"],
)
def test_ties_and_long_fractions_round_to_even(text: str) -> None:
    out = scanned(CANONICAL.replace(b"1.5", text.encode()))
    assert (out["pair"][0] >= 0, out["value"][0]) == (True, float(text))


times = st.datetimes().map(str) | st.from_regex(
    r"(19|20|21)[0-9][0-9]-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9]([.,][0-9]{1,9})?)?"
    r"(Z|[+-][0-2][0-9](:?[0-6][0-9])?)?",
    fullmatch=True,
)


@given(st.lists(times, min_size=1, max_size=20))
@settings(max_examples=200)
def test_a_time_is_what_the_exact_way_reads(texts: list[str]) -> None:
    same_both_ways(*(message(measured_at=text) for text in texts))
    same_both_ways(*(message(received_at=text) for text in texts))


def records(messages: Sequence[bytes]) -> Records:
    return Records.of(messages, timestamps_us=T0 + np.arange(len(messages)))


def test_names_that_are_kept_give_what_fresh_ones_give() -> None:
    many = [message(unit_code=f"U{i % 7}", meter_no=f"M-{i % 400}", unit=["kWh", "m3"][i % 2]) for i in range(3000)]
    many[1234] = message(unit_code="U1", meter_no="M-1", note="not usual")
    names = Names()
    for start in range(0, 3000, 500):
        part = many[start : start + 500]
        kept = decode_fetched(records(part), zone=SHANGHAI, names=names)
        assert said(*kept) == said(*decode_fetched(records(part), zone=SHANGHAI))
    lists = [block.meters for block in decode_fetched(records(many), zone=SHANGHAI, names=names)[0]]
    again = [block.meters for block in decode_fetched(records(many), zone=SHANGHAI, names=names)[0]]
    assert all(one is other for one, other in zip(lists, again, strict=True)), "a cache by the list finds it at once"


def test_what_never_repeats_is_not_kept() -> None:
    names = Names()
    for start in range(0, 60_000, 20_001):
        sent = [message(meter_no=f"M-{i}") for i in range(start, start + 20_001)]
        (block,), faults = decode_fetched(records(sent), zone=SHANGHAI, names=names)
        assert (len(block), len(block.meters), faults) == (20_001, 20_001, [])


def test_more_units_than_a_block_can_state_are_parted() -> None:
    names = Names()
    for _ in range(2):
        sent = [message(unit=f"unit {i}") for i in range(300)]
        found, faults = decode_fetched(records(sent), zone=SHANGHAI, names=names)
        assert not faults
        assert [row[4] for block in found for row in rows(block)] == [f"unit {i}" for i in range(300)]


@pytest.mark.parametrize(
    "odd", [b'"', b"\\", b"\x1f", b"\x00", b"\x20", b"\x7f", b"\xc2\x80", b"\xff", b"#", b"!", b"]"]
)
def test_a_byte_anywhere_in_a_text_is_seen_as_what_it_is(odd: bytes) -> None:
    """Texts are looked at eight bytes at a time: wherever it stands, and whatever stands before and behind it."""
    names = [b"M" * before + odd + b"m" * behind for before in range(18) for behind in (0, 1, 7, 8, 9)]
    sent = [CANONICAL.replace(b"M-1", name) for name in names]
    same_both_ways(*sent)
    assert taken(*sent) == [odd not in {b'"', b"\\", b"\x1f", b"\x00"} for _ in names]


@pytest.mark.parametrize("at", range(len(CANONICAL)))
def test_a_byte_that_is_another_is_no_less_one(at: int) -> None:
    """Names, times and all else of a sound message with one byte changed, as the parser of everything reads it."""
    for other in b'0:9-T Z".,x':
        spoilt = bytearray(CANONICAL)
        spoilt[at] = other
        same_both_ways(bytes(spoilt))


def test_what_stands_behind_a_message_does_not_matter() -> None:
    for tail in (b"", b"0", b'"unit', b"0000-00-00T00", b"\x00" * 9):
        for end in range(len(CANONICAL) - 40, len(CANONICAL)):
            cut = CANONICAL[:end]
            assert taken(cut) == [False]
            assert not (scanned(CANONICAL, cut, guard=tail)["pair"] >= 0)[1]


def colliding(n: int) -> list[bytes]:
    """Meters whose hashes have the same low bits, found by trying."""
    texts = Texts(lambda *_: (0, 0))
    found, mask = [], len(texts.table.slots) - 1
    for i in range(100_000):
        one = CANONICAL.replace(b"M-1", b"%d" % i)
        names = Names()
        out = np.zeros(1, SCANNED)
        scan(
            np.frombuffer(one, np.uint8),
            np.zeros(1, np.int64),
            np.array([len(one)]),
            0,
            names.scanned_pairs.table,
            names.scanned_units.table,
            out,
        )
        if int(names.scanned_pairs.table.hashes[0] >> np.uint64(20)) & mask == 5:
            found.append(one)
            if len(found) == n:
                break
    return found


def test_texts_made_to_collide_are_left_to_the_parser() -> None:
    sent = colliding(70)
    names = Names()
    found, faults = decode_fetched(records(sent), zone=SHANGHAI, names=names)
    assert (total(found, faults), len(faults)) == (70, 0)
    assert len(names.scanned_pairs) <= 64
    assert said(found, faults) == said(*decode_fetched(records([b" " + one for one in sent]), zone=SHANGHAI))


def test_encoded_by_msgspec_is_taken() -> None:
    assert taken(msgspec.json.encode(reading())) == [True]
