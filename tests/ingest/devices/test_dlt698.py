import re
import tomllib
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.devices import dlt698
from ingest.devices.dlt698 import Frame, Typed
from ingest.devices.faults import BadFrame, NoValue, OtherAnswer, Refused
from tests.ingest.devices.vectors import frame, name

VECTORS: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[2] / "golden" / "dlt698_vectors.toml").read_text(encoding="utf-8")
)
METER = "201709320072"


def request_of(vector: dict[str, Any]) -> Frame:
    if "table" in vector:
        apdu = dlt698.get_newest(vector["table"], vector["oads"], vector["number"])
    else:
        apdu = dlt698.get_list(vector["oads"], vector["number"])
    return Frame(vector["address"], 0x43, apdu)


@pytest.mark.parametrize("vector", VECTORS["frame"], ids=name)
def test_every_frame_is_decoded_and_encoded(vector: dict[str, Any]) -> None:
    found = dlt698.decode(frame(vector))
    assert (found.address, found.control) == (vector["address"], vector["control"])
    assert dlt698.encode(found) == frame(vector)
    assert dlt698.is_answer(found) == ("oads" in vector)


@pytest.mark.parametrize("vector", [one for one in VECTORS["frame"] if "oads" in one], ids=name)
def test_every_answer_is_read(vector: dict[str, Any]) -> None:
    found, request = dlt698.decode(frame(vector)), request_of(vector)
    assert dlt698.answers(found, request)
    if "values" in vector:
        item = dlt698.items()[vector["item"]]
        data = dlt698.results_in(found, request)[vector["oads"][0]]
        assert isinstance(data, Typed)
        assert [value.value for value in dlt698.values_of(item, data)] == [Decimal(one) for one in vector["values"]]
    elif "table" in vector:
        with pytest.raises(Refused) as refusal:
            dlt698.record_in(found, request)
        assert vector["refused"] in str(refusal.value)
    elif found.apdu[0] == 0xEE:
        with pytest.raises(Refused, match=vector["refused"]):
            dlt698.results_in(found, request)
    else:
        said = dlt698.results_in(found, request)[vector["oads"][0]]
        assert isinstance(said, Refused)
        assert vector["refused"] in said.detail


def test_requests_only_read() -> None:
    anybody = Frame(dlt698.ANY_METER, dlt698.REQUEST, dlt698.get_list([dlt698.ADDRESS], 0))
    assert dlt698.encode(anybody) == frame(VECTORS["frame"][0])
    assert dlt698.get_list(["00100200"], 1).hex() == "0501010010020000"
    assert dlt698.get_list(["00100201", "20040201"], 5).hex() == "0502050200100201" + "20040201" + "00"
    newest = dlt698.get_newest("50040200", ["20210200", "00100200"], 3).hex()
    assert newest == "050303500402000901020020210200000010020000"


GOOD = frame(VECTORS["frame"][1])


def spoiled(at: int, byte: int) -> bytes:
    return GOOD[:at] + bytes([byte]) + GOOD[at + 1 :]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "got nothing"),
        (GOOD[:-1], "as L says"),
        (spoiled(len(GOOD) - 1, 0), "the last byte must be 16"),
        (spoiled(12, 0), "HCS must be F2 96"),
        (spoiled(20, 9), "FCS must be"),
        (spoiled(len(GOOD) - 2, 0), "FCS must be"),
    ],
)
def test_bad_frames_give_the_error_that_names_what_is_wrong(raw: bytes, text: str) -> None:
    with pytest.raises(BadFrame, match=text):
        dlt698.decode(raw)


def test_a_part_of_a_longer_answer_is_none() -> None:
    part = dlt698.encode(Frame(METER, 0xE3, b"\0\0"))
    with pytest.raises(BadFrame, match="a whole answer in one frame"):
        dlt698.decode(part)


def test_scrambled_data_is_read() -> None:
    apdu = bytes((byte + 0x33) & 0xFF for byte in b"\x85\x01\x01")
    assert dlt698.decode(dlt698.encode(Frame(METER, 0xCB, apdu))).apdu == b"\x85\x01\x01"


def test_answer_of_another_meter_or_to_another_question_is_not_taken() -> None:
    found = dlt698.decode(GOOD)
    with pytest.raises(OtherAnswer, match="of meter 000000000001"):
        dlt698.answers(found, Frame("000000000001", 0x43, dlt698.get_list(["00100200"], 1)))
    with pytest.raises(OtherAnswer, match="number 2 is required"):
        dlt698.answers(found, Frame(METER, 0x43, dlt698.get_list(["00100200"], 2)))
    with pytest.raises(OtherAnswer, match="service 85 02"):
        dlt698.answers(found, Frame(METER, 0x43, dlt698.get_list(["00100200", "20040200"], 1)))


@pytest.mark.parametrize(
    ("apdu", "said"),
    [
        ("EE 05 02 00 00", "answers with error 2: some ask for a connection or for security first"),
        ("90 00 04 85 01 05 00 00", "answers with security (service 90, kind 0): it wants secured requests"),
        ("90 01 04 85 01 05 00 00", "answers with security (service 90, kind 1)"),
        ("90 02 16 00", "answers with security (service 90, security: refused (DAR 22))"),
        ("85 05 05 00 00 00", "answers in parts (service 85 05), which are not put together here"),
    ],
)
def test_a_meter_that_wants_more_than_is_spoken_here_is_named(apdu: str, said: str) -> None:
    """As dlt698 1.0.1 encodes ErrorResponse and SecurityResponse."""
    answer = Frame(METER, dlt698.ANSWER, bytes.fromhex(apdu))
    request = Frame(METER, dlt698.REQUEST, dlt698.get_list(["00100200"], 5))
    assert dlt698.answers(answer, request), "it answers us: nobody waits for another"
    with pytest.raises(Refused, match=re.escape(said)):
        dlt698.results_in(answer, request)


def test_what_is_no_number_has_no_value() -> None:
    item = dlt698.items()["energy_forward"]
    for data in (Typed(0, b""), Typed(9, b"12"), Typed(1, ()), Typed(23, 1.0)):
        with pytest.raises(NoValue, match="number is required"):
            dlt698.values_of(item, data)


def test_time_that_is_none_is_none() -> None:
    assert dlt698.time_of(Typed(28, bytes.fromhex("07EA0B1E080F1E"))) == datetime(2026, 11, 30, 8, 15, 30)  # noqa: DTZ001
    assert dlt698.time_of(Typed(28, bytes(7))) is None
    assert dlt698.time_of(Typed(0, b"")) is None


def test_nested_data_ends() -> None:
    deep = Frame(METER, 0xC3, bytes.fromhex("850101001002000" + "1" + "0101" * 50))
    with pytest.raises(BadFrame, match="type of data"):
        dlt698.results_in(deep, Frame(METER, 0x43, dlt698.get_list(["00100200"], 1)))


@given(st.binary(max_size=60), st.integers(0, 10**12 - 1), st.integers(0, 255))
def test_any_frame_comes_back(apdu: bytes, number: int, client: int) -> None:
    one = Frame(f"{number:012d}", 0xC3, apdu, client)
    assert dlt698.decode(dlt698.encode(one)) == one
