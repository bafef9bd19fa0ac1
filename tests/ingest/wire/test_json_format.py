import json
import resource
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.quality import ReadingFlag, RejectReason
from ingest.wire import Block, encode_block, encode_readings_json
from tests.ingest.wire.messages import T0, blocks, decode, finite, message, reading, rows, texts, total

AT = 1_795_220_100_000_000  # 2026-11-21T08:15:00+08:00 [us]


def all_rows(found: Sequence[Block]) -> list[tuple[object, ...]]:
    return [row for block in found for row in rows(block)]


def test_one_json_reading_is_read() -> None:
    (block,), faults = decode(message())
    assert not faults
    assert rows(block) == [("9111", "M-1", AT, 1.5, "kWh", T0, 0)]


SAME = {
    "alone": [message(), message(meter_no="M-2")],
    "array": [json.dumps([reading(), reading(meter_no="M-2")]).encode()],
    "envelope": [
        b'{"unit_code":"9111","readings":[%b,%b]}' % (message(unit_code=...), message(unit_code=..., meter_no="M-2"))
    ],
    "envelope that repeats": [b'{"readings":[%b,%b], "unit_code":"0"}' % (message(), message(meter_no="M-2"))],
    "byte order mark": [b"\xef\xbb\xbf" + message(), b"\xef\xbb\xbf" + message(meter_no="M-2")],
    "white space": [b"\r\n\t [" + message() + b" ,\n" + message(meter_no="M-2") + b"]\n"],
    "more members": [message(sn=[1, {"a": None}]), message(meter_no="M-2", name="x" * 100)],
    "nulls": [message(register=None, quality=None), message(meter_no="M-2", received_at=None)],
    "main register": [message(register="main"), message(meter_no="M-2", register="")],
}


@pytest.mark.parametrize("messages", SAME.values(), ids=SAME)
def test_all_forms_of_json_say_the_same(messages: list[bytes]) -> None:
    found, faults = decode(*messages)
    assert not faults
    assert [row[:5] for row in all_rows(found)] == [
        ("9111", "M-1", AT, 1.5, "kWh"),
        ("9111", "M-2", AT, 1.5, "kWh"),
    ]


def test_what_a_reading_may_say_beside_is_read() -> None:
    (block,), faults = decode(message(register="reverse", quality=17, received_at="2026-11-21T08:15:02+08:00"))
    assert not faults
    assert rows(block) == [("9111", "M-1\x1freverse", AT, 1.5, "kWh", AT + 2_000_000, 17)]


def test_time_without_an_offset_is_of_the_zone_and_says_so() -> None:
    (block,), _ = decode(message(measured_at="2026-11-21 08:15:00", quality=17))
    assert rows(block) == [("9111", "M-1", AT, 1.5, "kWh", T0, 17 | ReadingFlag.ZONE_ASSUMED)]


def test_last_of_repeated_members_counts() -> None:
    (block,), faults = decode(message()[:-1] + b',"value":2.5}')
    assert (block.value.tolist(), faults) == ([2.5], [])


@pytest.mark.parametrize("value", [0, -0.0, 10**18, 123456789012345678901234567890, 1e308, 5e-324, 0.1, -1])
def test_every_finite_number_is_a_value(value: float) -> None:
    (block,), faults = decode(message(value=value))
    assert (block.value.tolist(), faults) == ([float(value)], [])


UNSOUND = {
    "string": ({"value": "1.5"}, RejectReason.NOT_A_NUMBER, '"1.5"'),
    "null": ({"value": None}, RejectReason.NOT_A_NUMBER, "null"),
    "true": ({"value": True}, RejectReason.NOT_A_NUMBER, "true"),
    "array": ({"value": [1]}, RejectReason.NOT_A_NUMBER, "[1]"),
    "NaN": ({"value": float("nan")}, RejectReason.NOT_A_NUMBER, "NaN"),
    "infinity": ({"value": float("-inf")}, RejectReason.NOT_A_NUMBER, "-Infinity"),
    "too huge": ({"value": 10**400}, RejectReason.NOT_A_NUMBER, "1000000"),
    "no value": ({"value": ...}, RejectReason.NOT_A_NUMBER, "nothing"),
    "no unit_code": ({"unit_code": ...}, RejectReason.MISSING_FIELD, "nothing"),
    "empty unit_code": ({"unit_code": ""}, RejectReason.MISSING_FIELD, "nothing"),
    "null meter": ({"meter_no": None}, RejectReason.MISSING_FIELD, "null"),
    "meter as number": ({"meter_no": 17}, RejectReason.MISSING_FIELD, "17"),
    "no unit": ({"unit": ...}, RejectReason.MISSING_FIELD, "nothing"),
    "separator in a meter": ({"meter_no": "a\x1fb"}, RejectReason.MISSING_FIELD, "a\\x1fb"),
    "NUL in a unit_code": ({"unit_code": "a\x00"}, RejectReason.MISSING_FIELD, "a\\x00"),
    "NUL in a meter": ({"meter_no": "a\x00"}, RejectReason.MISSING_FIELD, "a\\x00"),
    "NUL in a unit": ({"unit": "a\x00"}, RejectReason.MISSING_FIELD, "a\\x00"),
    "separator in a register": ({"register": "a\x1fb"}, RejectReason.MISSING_FIELD, "a\\x1fb"),
    "register as number": ({"register": 1}, RejectReason.MISSING_FIELD, "1"),
    "quality as text": ({"quality": "good"}, RejectReason.MISSING_FIELD, '"good"'),
    "quality out of range": ({"quality": 512}, RejectReason.MISSING_FIELD, "512"),
    "negative quality": ({"quality": -1}, RejectReason.MISSING_FIELD, "-1"),
    "epoch": ({"measured_at": 1763000000}, RejectReason.BAD_TIME, "1763000000"),
    "no time": ({"measured_at": ...}, RejectReason.MISSING_FIELD, "nothing"),
    "noon": ({"measured_at": "noon"}, RejectReason.BAD_TIME, "noon"),
    "no such day": ({"measured_at": "2026-02-30T00:00:00Z"}, RejectReason.BAD_TIME, "2026-02-30T00:00:00Z"),
    "odd received_at": ({"received_at": "soon"}, RejectReason.BAD_TIME, "soon"),
    "received_at as number": ({"received_at": 5}, RejectReason.BAD_TIME, "5"),
}


@pytest.mark.parametrize(("changes", "reason", "got"), UNSOUND.values(), ids=UNSOUND)
def test_unsound_reading_is_a_fault_that_says_what_was_required(
    changes: dict[str, object], reason: RejectReason, got: str
) -> None:
    bad = message(**changes)
    found, (fault,) = decode(message(), bad, message(meter_no="M-3"))
    assert [row[1] for row in all_rows(found)] == ["M-1", "M-3"]
    assert (fault.message, fault.position, fault.reason, fault.readings) == (1, 0, reason, 1)
    assert fault.payload == bad
    assert fault.required.startswith(next(iter(changes)))
    assert fault.got.startswith(got)


@pytest.mark.parametrize(("changes", "reason", "got"), UNSOUND.values(), ids=UNSOUND)
def test_unsound_element_of_an_array_is_refused_as_it_stood(
    changes: dict[str, object], reason: RejectReason, got: str
) -> None:
    bad = b'  {"odd" :  1,' + message(**changes).lstrip(b"{")  # white space survives
    sent = b"[" + message() + b" ,\n" + bad + b"\t, " + message(meter_no="M-3") + b"]"
    found, (fault,) = decode(sent)
    assert [row[1] for row in all_rows(found)] == ["M-1", "M-3"]
    assert found[0].position.tolist() == [0, 2]
    assert (fault.position, fault.reason, fault.readings) == (1, reason, 1)
    assert fault.payload == bad.strip()
    assert fault.got.startswith(got)


def test_elements_refused_for_one_reason_are_one_fault_that_can_be_sent_again() -> None:
    sent = b"[" + b",".join([message(), message(value="x"), message(value="y"), message(measured_at="z")]) + b"]"
    found, faults = decode(sent)
    assert total(found, faults) == 4
    assert [(f.position, f.reason, f.readings) for f in faults] == [
        (1, RejectReason.NOT_A_NUMBER, 2),
        (3, RejectReason.BAD_TIME, 1),
    ]
    assert faults[0].payload == b"[" + message(value="x") + b"," + message(value="y") + b"]"
    assert total(*decode(faults[0].payload)) == 2


def test_elements_refused_out_of_an_envelope_keep_its_unit() -> None:
    one, two = message(unit_code=...), message(unit_code=..., value="x")
    sent = b'{"unit_code" : "9111", "readings": [' + one + b"," + two + b"]}"
    found, (fault,) = decode(sent)
    assert (len(found[0]), fault.position, fault.unit_code) == (1, 1, "9111")
    assert fault.payload == b'{"unit_code":"9111","readings":[' + two + b"]}"
    _, (again,) = decode(fault.payload)
    assert (again.reason, again.unit_code, again.payload) == (fault.reason, "9111", fault.payload)


def test_nan_stands_in_the_payload_as_it_was_sent() -> None:
    bad = message(value=float("nan"), meter_no="NaN")
    sent = b"[" + message(meter_no='a "NaN" \\') + b"," + bad + b"," + bad + b"]"
    found, (fault,) = decode(sent)
    assert [row[1] for row in all_rows(found)] == ['a "NaN" \\']
    assert (fault.reason, fault.got, fault.readings) == (RejectReason.NOT_A_NUMBER, "NaN", 2)
    assert fault.payload == b"[" + bad + b"," + bad + b"]"


WHOLE = {
    "nothing": b"",
    "blank": b" \n",
    "text": b"hello",
    "number": b"17",
    "string": b'"a"',
    "cut": message()[:-1],
    "cut array": b"[" + message() + b",",
    "two": message() + message(),
    "readings are no array": b'{"unit_code":"9111","readings":{}}',
    "not UTF-8": message(unit_code="U").replace(b"U", b"\xff"),
    "half a surrogate": message(unit_code="U").replace(b"U", b"\\ud800"),
    "deep nesting": message()[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep array": b"[" * 100_000,
    "UTF-16": message().decode().encode("utf-16"),
    "bare NaN": b"NaN",
}


@pytest.mark.parametrize("spoilt", WHOLE.values(), ids=WHOLE)
def test_what_is_no_json_is_one_fault_and_harms_no_other(spoilt: bytes) -> None:
    found, (fault,) = decode(message(), spoilt, message(meter_no="M-2"))
    assert [row[1] for row in all_rows(found)] == ["M-1", "M-2"]
    assert (fault.message, fault.readings, fault.payload) == (1, 1, spoilt)
    assert fault.reason in {RejectReason.MALFORMED, RejectReason.MISSING_FIELD}
    assert fault.required
    assert fault.got.isprintable()


def test_element_that_is_an_array_of_readings_is_refused_with_all_it_holds() -> None:
    inner = {"unit_code": "9111", "readings": [reading(), reading()]}
    found, (fault,) = decode(json.dumps([reading(), inner]).encode())
    assert (total(found, [fault]), fault.readings) == (3, 2)


def test_array_of_millions_of_elements_that_are_none_does_not_fill_the_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    nothing, (fault,) = decode(b"[" + b"0," * 6_000_000 + b"0]")
    assert (nothing, fault.reason) == ([], RejectReason.TOO_LARGE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_long_array_is_read_whole() -> None:
    n = 20_000  # above the size that is decoded at once
    sent = b"[" + b",".join(message(meter_no=f"M-{i}") for i in range(n)) + b"]"
    found, faults = decode(sent)
    assert (sum(map(len, found)), faults) == (n, [])
    assert [row[1] for row in all_rows(found)] == [f"M-{i}" for i in range(n)]


def test_more_units_than_a_block_can_hold_make_more_blocks() -> None:
    found, faults = decode(*(message(unit=f"unit {i}", meter_no=f"M-{i % 7}") for i in range(600)))
    assert not faults
    assert {row[4] for row in all_rows(found)} == {f"unit {i}" for i in range(600)}
    assert all(len(block.units) <= 256 for block in found)


def test_readings_of_a_unit_come_in_one_block_in_the_order_they_were_sent() -> None:
    sent = [message(unit_code=f"U{i % 3}", meter_no=f"M-{i % 4}", value=i) for i in range(3000)]
    found, _ = decode(*sent)
    assert [block.unit_code for block in found] == ["U0", "U1", "U2"]
    for k, block in enumerate(found):
        assert block.value.tolist() == list(range(k, 3000, 3))
        assert block.message.tolist() == list(range(k, 3000, 3))
        assert len(block.meters) == 4
        assert [row[1] for row in rows(block)] == [f"M-{i % 4}" for i in range(k, 3000, 3)]


@given(st.lists(st.tuples(texts, texts, st.integers(0, 999_999), finite, texts), min_size=1, max_size=30))
def test_readings_of_any_units_are_all_there(sent: list[tuple[str, str, int, float, str]]) -> None:
    messages = [
        message(unit_code=code, meter_no=meter, measured_at=f"1970-01-01T00:00:00.{at:06}Z", value=value, unit=unit)
        for code, meter, at, value, unit in sent
    ]
    found, faults = decode(*messages)
    assert not faults
    got = {(int(i), *row[:5]) for block in found for i, row in zip(block.message, rows(block), strict=True)}
    assert got == {(i, *one) for i, one in enumerate(sent)}


@given(blocks())
def test_a_block_written_as_json_says_the_same(sent: tuple[str, dict[str, object]]) -> None:
    columns = sent[1] | {"received_at": None}
    columns["measured_at"] = columns["measured_at"] % 10**16  # type: ignore[operator]  # years that have four digits
    (block,), _ = decode(encode_block(sent[0], **columns))  # type: ignore[arg-type]
    found, faults = decode(*encode_readings_json(block))
    assert not faults
    assert all_rows(found) == rows(block)


number = st.from_regex(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@given(st.lists(number, min_size=1, max_size=20))
def test_every_number_is_the_nearest_float(numbers: list[str]) -> None:
    sent = [message(value="@").replace(b'"@"', text.encode()) for text in numbers]
    found, faults = decode(*sent)
    refused = {fault.message for fault in faults}
    values = {int(i): v for block in found for i, v in zip(block.message, block.value, strict=True)}
    for i, text in enumerate(numbers):
        assert (i in refused) == (float(text) in {float("inf"), float("-inf")})
        assert i in refused or values[i] == float(text)


def test_names_that_share_their_beginning_or_register_are_told_apart() -> None:
    names, registers = ["M", "MM", "M" * 8, "M" * 9, "M" * 15 + "N", "一" * 3], [None, "r", "rr", "M"]
    every = [(code, name, register) for code in ("A", "B") for name in names for register in registers]
    found, _ = decode(*(message(unit_code=code, meter_no=name, register=register) for code, name, register in every))
    assert [(block.unit_code, len(block.meters)) for block in found] == [("A", 24), ("B", 24)]
    assert [row[:2] for row in all_rows(found)] == [(c, name + (f"\x1f{r}" if r else "")) for c, name, r in every]


def test_array_that_breaks_off_late_leaves_nothing_of_itself() -> None:
    whole = b"[" + b",".join(message(meter_no=f"M-{i}") for i in range(50)) + b"]"
    found, faults = decode(message(meter_no="before"), whole[:-1], message(meter_no="after"))
    assert [row[1] for row in all_rows(found)] == ["before", "after"]
    assert [(fault.message, fault.payload) for fault in faults] == [(1, whole[:-1])]
